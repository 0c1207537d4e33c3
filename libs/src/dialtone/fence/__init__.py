"""Model code in a process of its own, so that it can crash or hang without the worker that uses it.

    model = ModelProcess("piper", functools.partial(load_voices, path), threads=2)   # load runs over there
    await model.start()
    samples = await model.run(3.0, Voices.decode, latent, window)      # Voices.decode(what load gave, ...)
    return Loaded(handler, slots=4, close=model.close, models=(model,))

What an exception, a crash (SIGSEGV, abort, the kernel's OOM killer) or a hang costs is in `ModelProcess`.
"""

from dialtone.fence.model_process import ModelCrashed, ModelGone, ModelHung, ModelLost, ModelProcess

__all__ = ["ModelCrashed", "ModelGone", "ModelHung", "ModelLost", "ModelProcess"]
