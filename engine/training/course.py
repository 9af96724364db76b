"""What every stage of ``wildtrack train STAGE`` is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from engine.cmss import SSV2A, load_ssv2a, save_ssv2a
from engine.models.manifest_sizes import role_settings
from engine.models.pack import AUDIO_FILE, find_pack, read_manifest
from engine.models.weights import load_network
from engine.perception.audio import AudioNet, AudioNetSettings
from engine.steps import StepCallback, no_steps
from engine.training.data.listening import NO_PACK, digest_with, pack_digest, read_audio
from engine.training.data.prepared import PreparedData
from engine.training.journal import Journals, no_journals
from engine.training.loop import Place
from engine.training.results import RESULTS, StageName
from engine.training.world import ALONE, World
from osc_bridge.errors import BadCorpus, FileMissing
from presets.files import writing_whole


def silent(_: str) -> StepCallback:
    """Return a callback for parts that nobody watches."""
    return no_steps


@dataclass(frozen=True)
class Folders:
    """What a stage reads and writes.

    ``data``: what ``wildtrack train data`` made. ``corpus`` has the pictures that scenes are pasted
    from, if any.
    """

    data: tuple[Path, ...]
    work: Path
    corpus: Path | None = None


@dataclass(frozen=True)
class Course:
    """One run of one stage."""

    data: PreparedData
    folders: Folders
    seed: int
    world: World = ALONE
    journals: Journals = no_journals
    progress: Callable[[str], StepCallback] = silent

    @property
    def work(self) -> Path:
        """Where checkpoints and results lie."""
        return self.folders.work

    def place(self, name: str) -> Place:
        """Return where the part ``name`` of the stage keeps its checkpoint."""
        path = self.work / f"{name}.checkpoint"
        return Place(path, self.progress(name), self.seed, self.world, self.journals(name))

    def result(self, stage: StageName) -> Path:
        """Return where the model of a stage lies, or will lie."""
        return self.work / RESULTS[stage]

    def fetched(self, *stages: StageName) -> SSV2A:
        """Return the model of the first of these stages that was trained; FileMissing if none."""
        for stage in stages:
            if (self.work / RESULTS[stage]).is_dir():
                return load_ssv2a(self.work / RESULTS[stage])
        raise FileMissing(
            f"{self.work} has no result of the stage {stages[-1]} yet; run "
            f"wildtrack train {stages[-1]} with this --work first."
        )

    def keep(self, stage: StageName, model: SSV2A) -> None:
        """Leave the stage's model in the work folder; one process does."""
        if self.world.first:
            save_ssv2a(model.eval(), self.work / RESULTS[stage], half=False)

    def keep_network(self, stage: StageName, network: nn.Module) -> None:
        """Leave the stage's network, on the CPU, in the work folder; one process does."""
        if self.world.first:
            state = {key: value.contiguous() for key, value in network.state_dict().items()}
            with writing_whole(self.result(stage)) as part:
                save_file(state, part)

    def ear(self, pack: str, audio_encoder: str) -> AudioNet:
        """Return what embedded the data's sounds, on our device; BadCorpus if it is another.

        That is the audio encoder of ``pack``, or the weights in the file ``audio_encoder``. With
        the pack ``none``, and no file, it is what the stage encoder left in the work folder.
        """
        weights = Path(audio_encoder) if audio_encoder else self.result("encoder")
        digest = pack_digest(pack)
        if audio_encoder or pack == NO_PACK:
            net = read_audio(weights)
            digest = digest_with(digest, weights)
        else:
            folder = find_pack(pack)
            settings = role_settings(AudioNetSettings, folder, read_manifest(folder), "audio")
            net = load_network(lambda: AudioNet(settings), folder / AUDIO_FILE)
        if {known.get("digest") for known in self.data.manifests} != {digest}:
            raise BadCorpus(
                f"The data was embedded by {self.data.manifests[0].get('pack')}, not by pack = "
                f"{pack!r} with audio_encoder = {audio_encoder!r}; name in the configuration what "
                "prepared the data."
            )
        return net.to(self.world.device)
