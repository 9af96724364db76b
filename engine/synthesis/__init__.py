"""From an audio embedding to sound: decoders, samplers, vocoders, stems."""
