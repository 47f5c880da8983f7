"""Properties here are judged by what they compute, not by how busy the machine is."""

from hypothesis import settings

settings.register_profile("statistics", deadline=None)
settings.load_profile("statistics")
