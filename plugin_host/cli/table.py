"""The commands of ``wildtrack``, as data: nothing here imports what it names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One command: ``target`` is "module:attribute", imported when the command is called."""

    name: str
    target: str
    help: str


SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Sound": (
        Entry(
            "render",
            "plugin_host.commands:render",
            "Frames, words and sounds in, stems and mix out.",
        ),
        Entry("demo", "plugin_host.commands:demo", "Render the example scene and print the times."),
        Entry("chains", "plugin_host.commands:chains", "List the effect chains."),
    ),
    "Engine": (
        Entry("engine", "engine.commands:engine", "Serve a session folder over OSC, models warm."),
        Entry("up", "plugin_host.cli.up:up", "Serve a session; restart an engine that dies."),
        Entry("models", "engine.commands:models", "List, verify and compare model packs."),
        Entry("bench", "engine.commands:bench", "Measure Cycle Mix and rendering."),
    ),
    "Training and evaluation": (
        Entry("train", "engine.training.commands:train", "Train packs from sounds and pictures."),
        Entry(
            "evaluate",
            "engine.evaluation.commands:evaluate",
            "Measure generated sounds against real ones.",
        ),
        Entry(
            "manifold",
            "engine.evaluation.manifold_commands:manifold",
            "Look into a pack's manifold: one report.",
        ),
        Entry(
            "listening",
            "engine.evaluation.listening_commands:listening",
            "Ask people: a blind survey and its analysis.",
        ),
        Entry(
            "baselines",
            "engine.evaluation.baseline_commands:baselines",
            "Render what results are compared with.",
        ),
    ),
    "House": (
        Entry("doctor", "plugin_host.cli.doctor:doctor", "Check this machine; name each cure."),
        Entry(
            "completion",
            "plugin_host.cli.completion:completion",
            "Print a shell's completion script.",
        ),
    ),
}

COMMANDS: dict[str, Entry] = {
    entry.name: entry for entries in SECTIONS.values() for entry in entries
}
