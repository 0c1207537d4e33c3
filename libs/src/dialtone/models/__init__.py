"""Model files: the manifest, where they lie, and (in `dialtone.models.fetch`) how they get there."""

from dialtone.models.cache import ModelMissing, default_models_dir, locate
from dialtone.models.manifest import Model, default_names, manifest

__all__ = ["Model", "ModelMissing", "default_models_dir", "default_names", "locate", "manifest"]
