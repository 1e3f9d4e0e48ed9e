"""Which stage renders what: one line for each purpose of a delivery. A worker claims only what stands here."""

from workers.rendering import Renderers

RENDERERS: Renderers = {}
