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
        Entry("train", "engine.training.commands:train", "Train the starter pack from a corpus."),
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
