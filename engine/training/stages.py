"""The stages of a starter pack, in order; each resumes, and is skipped once its result is there.

``features`` -> ``texts`` -> ``pictures`` -> ``encoder`` -> ``manifold`` -> ``remixer`` ->
``codec`` -> ``generator`` -> ``pack``. Results live in the work folder; the last is the pack.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.cmss import SSV2A, build_ssv2a, load_ssv2a, save_ssv2a
from engine.models.saving import StarterParts, save_starter
from engine.models.weights import load_network
from engine.perception.audio import AudioNet
from engine.perception.image import load_image_encoder
from engine.perception.text import load_text_encoder
from engine.steps import StepCallback
from engine.synthesis.codec import MelCodec
from engine.synthesis.dit import DiT
from engine.training import codec, encoder, features, generator, manifold, pictures, remixer, texts
from engine.training.batches import balance
from engine.training.corpus import Clip, Picture, read_clips, read_pictures
from engine.training.plan import RESULTS, Plan, record
from osc_bridge.errors import BadCorpus
from presets.files import writing_whole

StageProgress = Callable[[str], StepCallback]


@dataclass(frozen=True)
class Run:
    """One training run: the data, the folder of its results, the plan."""

    data: Path
    work: Path
    plan: Plan

    @cached_property
    def clips(self) -> list[Clip]:
        """Every sound of the corpus, in the order of the store."""
        return read_clips(self.data)

    @cached_property
    def chosen(self) -> list[int]:
        """Places of the sounds that may shape the weights."""
        return [index for index, clip in enumerate(self.clips) if clip.trainable]

    @cached_property
    def cutouts(self) -> list[Picture]:
        """The cut-outs that may shape the weights."""
        return pictures.trainable(read_pictures(self.data), self.clips)

    @cached_property
    def grounds(self) -> list[Picture]:
        """The backgrounds that cut-outs are seen on."""
        return pictures.backgrounds(read_pictures(self.data))

    @cached_property
    def store(self) -> features.MelStore:
        """The log-mel pictures of all sounds."""
        return features.load(self.work / "mels.npz")

    @cached_property
    def weights(self) -> Tensor:
        """Drawing weights of the chosen sounds."""
        return balance([self.clips[index] for index in self.chosen])

    def tensor(self, name: str) -> Tensor:
        """Return a tensor that an earlier stage left in the work folder."""
        return load_file(self.work / f"{name}.safetensors")[name]

    def keep(self, name: str, tensor: Tensor) -> None:
        """Leave a tensor in the work folder, whole or not at all."""
        with writing_whole(self.work / f"{name}.safetensors") as part:
            save_file({name: tensor.contiguous()}, part)

    def keep_module(self, name: str, module: nn.Module) -> None:
        """Leave a network's weights in the work folder."""
        with writing_whole(self.work / f"{name}.safetensors") as part:
            save_file({key: value.contiguous() for key, value in module.state_dict().items()}, part)

    def checkpoint(self, name: str) -> Path:
        """Return where a stage keeps its state between interruptions."""
        return self.work / f"{name}.checkpoint"


def run_all(run: Run, pack: Path, progress: StageProgress) -> None:
    """Go through every stage whose result is not there yet, and write the pack."""
    run.work.mkdir(parents=True, exist_ok=True)
    if not run.chosen:
        raise BadCorpus(
            f"{run.data / 'sounds.csv'} lists no sound of the train split with a fit licence; "
            "docs/training-data.md names the licences."
        )
    record(run.plan, run.data, run.work)
    for name, stage in STAGES.items():
        if not (run.work / RESULTS[name]).exists():
            stage(run, progress(name))
    _publish(run, pack)


def _publish(run: Run, pack: Path) -> None:
    """Write the pack beside its place, then exchange the folders: never a half-new pack."""
    pack.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=pack.parent, prefix=".pack-") as folder:
        new, old = Path(folder) / "new", Path(folder) / "old"
        save_starter(new, parts(run), name=pack.name, version="0")
        if pack.exists():
            pack.rename(old)
        new.rename(pack)


def parts(run: Run) -> StarterParts:
    """Return the trained networks from the work folder."""
    sizes = run.plan.sizes
    return StarterParts(
        audio=load_network(lambda: AudioNet(sizes.audio), run.work / "audio_net.safetensors"),
        ssv2a=load_ssv2a(run.work / "mixed"),
        codec=load_network(lambda: MelCodec(sizes.codec), run.work / "codec.safetensors"),
        generator=load_network(lambda: DiT(sizes.generator), run.work / "generator.safetensors"),
    )


def pairs(run: Run) -> manifold.Pairs:
    """Return the single-source pairs of the chosen sounds."""
    words = torch.cat([run.tensor("words"), run.tensor("translated")])
    return manifold.Pairs(
        words=words[:, run.chosen],
        claps=run.tensor("heard")[run.chosen],
        pictures=run.tensor("pictures"),
        pictured=pictures.matches([run.clips[index] for index in run.chosen], run.cutouts),
        weights=run.weights,
    )


def _features(run: Run, on_step: StepCallback) -> None:
    features.extract(run.clips, run.work / "mels.npz", on_step)


def _texts(run: Run, on_step: StepCallback) -> None:
    reader = load_text_encoder("cpu")
    run.keep("translated", texts.translate_clips(reader, run.clips))
    on_step(1, 2)
    run.keep("words", texts.embed_clips(reader, run.clips))
    on_step(2, 2)


def _pictures(run: Run, on_step: StepCallback) -> None:
    looker = load_image_encoder(load_text_encoder("cpu"), "cpu")
    run.keep("pictures", pictures.embed(looker, run.cutouts, run.grounds, on_step, run.plan.seed))


def _encoder(run: Run, on_step: StepCallback) -> None:
    chosen = [run.clips[index] for index in run.chosen]
    names = sorted({clip.foley_class for clip in chosen if clip.foley_class})
    place = {name: index for index, name in enumerate(names)}
    data = encoder.EncoderData(
        clips=chosen,
        indices=run.chosen,
        store=run.store,
        texts=run.tensor("words")[:, run.chosen],
        classes=torch.tensor([place.get(clip.foley_class, -1) for clip in chosen]),
    )
    net = encoder.train(
        data,
        run.plan.sizes.audio,
        run.plan.encoder,
        run.checkpoint("encoder"),
        on_step,
        run.plan.seed,
    )
    encoder.centre(net, run.store, run.chosen)
    run.keep_module("audio_net", net)


def _heard(run: Run, on_step: StepCallback) -> None:
    net = load_network(lambda: AudioNet(run.plan.sizes.audio), run.work / "audio_net.safetensors")
    run.keep("heard", encoder.embed_all(net, run.store, on_step))


def _manifold(run: Run, on_step: StepCallback) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.plan.seed)
        model = build_ssv2a(run.plan.sizes.ssv2a)
    plan = run.plan
    model = manifold.train(
        model, pairs(run), plan.manifold, run.checkpoint("manifold"), on_step, plan.seed
    )
    save_ssv2a(model, run.work / "manifold", half=False)


def _remixer(run: Run, on_step: StepCallback) -> None:
    model = load_ssv2a(run.work / "manifold")
    net = load_network(lambda: AudioNet(run.plan.sizes.audio), run.work / "audio_net.safetensors")
    data = remixer.SceneData(pairs(run), run.chosen, run.store, net)
    plan = run.plan
    model = remixer.train(model, data, plan.remixer, run.checkpoint("remixer"), on_step, plan.seed)
    save_ssv2a(model, run.work / "mixed", half=False)


def _codec(run: Run, on_step: StepCallback) -> None:
    plan = run.plan
    trained = codec.train(
        run.store,
        run.chosen,
        run.weights,
        plan.sizes.codec,
        plan.codec,
        run.checkpoint("codec"),
        on_step,
        plan.seed,
    )
    run.keep_module("codec", trained)


def _generator(run: Run, on_step: StepCallback) -> None:
    plan = run.plan
    model = load_ssv2a(run.work / "manifold")
    data = generator.GeneratorData(
        store=run.store,
        indices=run.chosen,
        heard=run.tensor("heard")[run.chosen],
        predicted=predicted(model, pairs(run)),
        weights=run.weights,
    )
    trained = generator.train(
        data,
        load_network(lambda: MelCodec(plan.sizes.codec), run.work / "codec.safetensors"),
        plan.sizes.generator,
        plan.generator,
        run.checkpoint("generator"),
        on_step,
        plan.seed,
    )
    run.keep_module("generator", trained)


def predicted(model: SSV2A, of: manifold.Pairs) -> Tensor:
    """Return a_src (ways, N, clap_dim) of every sound's words, raw and translated."""
    return manifold.semantics(model, of.words)


STAGES: dict[str, Callable[[Run, StepCallback], None]] = {
    "features": _features,
    "texts": _texts,
    "pictures": _pictures,
    "encoder": _encoder,
    "embeddings": _heard,
    "manifold": _manifold,
    "remixer": _remixer,
    "codec": _codec,
    "generator": _generator,
}
