"""Versions of a raw table: content, packs, layout, records, differences, retention."""
