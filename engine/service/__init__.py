"""What the engine does, without a word of sockets: scenes, sources, renders, takes, packs.

Short requests answer at once on the caller's thread. Whatever reads files or thinks is a job: it
ends in exactly one of the caller's ``done`` and ``failed``. A request that fails changes nothing.
Importing this loads no torch.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import dataclass

from engine.config import EngineConfig
from engine.jobs.job import Priority, Reporter
from engine.media import MediaStore
from engine.memory import resident_bytes
from engine.models.news import PackRow
from engine.models.store import ModelStore
from engine.notices import Notices
from engine.service.adding import Adding
from engine.service.asking import Asking
from engine.service.jobs import Jobs
from engine.service.rendering import Rendering
from engine.service.scenes import Scenes
from engine.service.shaping import Shaping
from engine.service.takes import Takes


@dataclass(frozen=True)
class Health:
    """How the engine is; ``pack`` is "" until it is there."""

    pack: str
    device: str
    jobs_running: int
    jobs_waiting: int
    scenes: int
    packs_loaded: int
    memory_bytes: int
    memory_budget_bytes: int
    stems_bytes: int
    uptime_s: float


class EngineService:
    """One session and the packs that render it. Methods may be called from any thread."""

    def __init__(self, config: EngineConfig, models: ModelStore, notices: Notices) -> None:
        media = MediaStore(config.session)
        self.config = config
        self.models = models
        self.notices = notices
        self.scenes = Scenes(config.session / "scenes", notices)
        self.jobs = Jobs(config.device, notices)
        self.takes = Takes(config.session, notices)
        self.adding = Adding(config, self.scenes, self.jobs, models, media, notices)
        self.shaping = Shaping(self.scenes, self.jobs, media)
        self.rendering = Rendering(config, self.scenes, self.jobs, self.takes, models, notices)
        self._born_s = time.monotonic()

    def start(self) -> None:
        """Start the workers, and go on with what a crash cut off; ``models`` start apart."""
        self.rendering.resume()
        self.jobs.start()

    def close(self) -> None:
        """Cancel the jobs, wait for the workers, write snapshots."""
        self.jobs.close()
        self.models.close()
        self.scenes.close()

    def health(self) -> Health:
        """Return pack, device, jobs, memory and age."""
        return Health(
            pack=self.models.current().manifest.name if self.models.is_ready else "",
            device=self.config.device,
            jobs_running=self.jobs.running,
            jobs_waiting=self.jobs.waiting,
            scenes=len(self.scenes.ids()),
            packs_loaded=self.models.packs_loaded,
            memory_bytes=resident_bytes(),
            memory_budget_bytes=self.config.memory_budget_bytes,
            stems_bytes=self.rendering.stems.bytes,
            uptime_s=time.monotonic() - self._born_s,
        )

    def cancel(self, key: Hashable) -> bool:
        """Cancel the waiting or running job of that key; False when there is none."""
        return self.jobs.cancel(key) or self.rendering.cancel(key)

    def load_model(self, pack: str, asking: Asking[PackRow]) -> None:
        """Load a pack if need be, and render with it from now on."""

        def work(reporter: Reporter) -> PackRow:
            return self.models.load(pack, reporter.phase(f"Loading {pack[:80]}.", 0.0, 1.0))

        self.jobs.submit(self.jobs.device, Priority.NOW, work, asking)

    def unload_model(self, pack: str, asking: Asking[str]) -> None:
        """Free the memory of a pack."""

        def work(_reporter: Reporter) -> str:
            self.models.unload(pack)
            return pack

        self.jobs.submit(self.jobs.files, Priority.NOW, work, asking)
