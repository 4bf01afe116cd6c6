"""`python -m hilum.worker.batches [--step-back] NAME`: scores batches while there are any. Loads no Keras.

The chunks of a batch are workflows on a DBOS queue, from which every such process takes as many as it has cores. What
is in a chunk and what becomes of it lies in hilum's own tables; of the queue only its order is kept.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import closing

from hilum.cores import usable_cores
from hilum.logs import configure
from hilum.services.batch_scoring import ChunkScorer, ModelShelf
from hilum.services.decoding import Decoders
from hilum.services.registry import open_registry
from hilum.services.state import SLICES, StatePlaces
from hilum.settings import Settings


def main() -> None:
    """Scores; the exit code is 0 once no batch is active."""
    from hilum.worker.__main__ import end_with_supervisor, step_back

    if "--step-back" in sys.argv:
        step_back()
    threading.Thread(target=end_with_supervisor, daemon=True).start()
    settings = Settings()
    configure(settings.log_level)
    import cv2

    from hilum.inference.predictor import Predictor
    from hilum.worker.batch_queue import BatchQueue  # loads DBOS

    cv2.setNumThreads(1)
    places = StatePlaces(settings.home, settings.database_url, settings.blobs_url)
    with (
        closing(places.open_database()) as database,
        closing(open_registry(places, is_audited=settings.audit_log)) as registry,
        closing(Decoders(settings.isolation)) as decoders,
    ):
        scorer = ChunkScorer(
            database,
            places.open_blobs,
            places.open_blobs(SLICES),
            ModelShelf(registry.fetch, Predictor.load),
            decoders.decode,
            threads=settings.threads or usable_cores(),
        )
        BatchQueue(places, sys.argv[-1], scorer).run()
    logging.shutdown()
    os._exit(0)  # DBOS's threads have nothing left to do


if __name__ == "__main__":
    main()
