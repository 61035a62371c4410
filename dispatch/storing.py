"""From steps to the database: one queue, one committer; the broker is told only after the commit."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from secrets import SystemRandom

from dispatch.events import AnyEvent
from dispatch.feeds.vitals import Vitals
from dispatch.ingest.inbox import Arrival, Receipt
from dispatch.ingest.listen import Listener
from dispatch.reports import Input, Reason, Rejected, SensorReport, VehicleReport, VehicleStatus
from dispatch.store.writer import Batch, StoreAway, Writer

log = logging.getLogger(__name__)
_COMMIT_ROWS_MAX = 10_000
_EVENTS_MAX = 200_000  # kept while the database is away; telemetry is kept by the broker
_RETRY_S_MAX = 5.0
_BYPASS_AFTER_S = 1.0
_jitter = SystemRandom()


@dataclass(frozen=True, slots=True)
class Job:
    """What one step leaves behind: rows to store, and whom to tell when they are."""

    batch: Batch
    receipts: tuple[Receipt, ...]
    received_time: float  # of its oldest message, UTC s

    @property
    def orphaned(self) -> bool:
        """Its messages will be sent again, for the connection they came by is gone."""
        return bool(self.receipts) and self.receipts[0].connection.closed.done()


def job_of(
    arrivals: Sequence[Arrival], inputs: Sequence[Input], verdicts: Sequence[Reason | None], events: list[AnyEvent]
) -> Job:
    """Sort a step's inputs by what becomes of them; what came past the store will come again and is left out."""
    reports: list[VehicleReport] = []
    rejected: list[Rejected] = []
    statuses: list[VehicleStatus] = []
    sensors: list[SensorReport] = []
    receipts: list[Receipt] = []
    for arrival, item, verdict in zip(arrivals, inputs, verdicts, strict=True):
        if arrival.receipt is None and not isinstance(item, VehicleStatus):
            continue
        if arrival.receipt is not None:
            receipts.append(arrival.receipt)
        if isinstance(item, VehicleReport):
            if verdict in (None, Reason.DUPLICATE):
                reports.append(item)
            else:
                rejected.append(_refused(arrival, item, verdict))
        elif isinstance(item, Rejected):
            rejected.append(item)
        elif isinstance(item, VehicleStatus):
            statuses.append(item)
        else:
            sensors.append(item)
    batch = Batch(reports=reports, events=events, rejected=rejected, statuses=statuses, sensors=sensors)
    return Job(batch, tuple(receipts), arrivals[0].received_time if arrivals else 0.0)


def _refused(arrival: Arrival, report: VehicleReport, reason: Reason) -> Rejected:
    return Rejected(
        reason=reason,
        received_time=arrival.received_time,
        topic=arrival.topic[:1000],
        detail=f"fix {report.fix_time:.3f} at {report.lat}, {report.lon}",
        vehicle_id=report.vehicle_id,
        payload=arrival.payload[:1000],
    )


class Storing:
    """Commits jobs in order; while the database is away it keeps trying, and opens the bypass."""

    def __init__(self, writer: Writer, listener: Listener, vitals: Vitals, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._listener = listener
        self._vitals = vitals
        self._clock = clock
        self._jobs: deque[Job] = deque()
        self._waiting = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, job: Job) -> None:
        """Queue a step's job."""
        if len(job.batch) or job.receipts:
            self._jobs.append(job)
            self._waiting.set()
            self._idle.clear()

    async def drained(self) -> None:
        """Wait until everything queued is stored."""
        await self._idle.wait()

    async def run(self) -> None:
        """Commit until cancelled."""
        failures = 0
        while True:
            await self._waiting.wait()
            taken = self._next_jobs()
            batch = _merged([job.batch for job in taken])
            self._vitals.oldest_unstored_time = min((j.received_time for j in taken if j.receipts), default=None)
            try:
                done = await self._writer.commit(batch)
            except StoreAway as error:
                failures += 1
                self._away(str(error))
                self._shed()
                await asyncio.sleep(_jitter.uniform(0.1, min(_RETRY_S_MAX, 0.2 * 2**failures)))
                continue
            failures = 0
            self._back()
            for _ in taken:
                self._jobs.popleft()
            self._listener.acknowledge([receipt for job in taken for receipt in job.receipts])
            self._vitals.stored += done.inserted
            self._vitals.duplicates += done.reports - done.inserted - done.poisoned
            self._vitals.oldest_unstored_time = None
            if not self._jobs:
                self._waiting.clear()
                self._idle.set()

    def _next_jobs(self) -> list[Job]:
        taken: list[Job] = []
        rows = 0
        for job in self._jobs:
            if taken and rows + len(job.batch) > _COMMIT_ROWS_MAX:
                break
            taken.append(job)
            rows += len(job.batch)
        return taken

    def _away(self, reason: str) -> None:
        now = self._clock()
        if self._vitals.store_away_since is None:
            self._vitals.store_away_since = now
            log.error("database away", extra={"reason": reason})
        elif now - self._vitals.store_away_since > _BYPASS_AFTER_S:
            self._listener.bypass(wanted=True)

    def _back(self) -> None:
        if self._vitals.store_away_since is not None:
            log.warning("database back")
            self._vitals.store_away_since = None
            self._listener.bypass(wanted=False)

    def _shed(self) -> None:
        """Hold the queue within bounds: what the broker will send again goes first, then the oldest events."""
        kept = [Job(Batch(events=j.batch.events), (), j.received_time) if j.orphaned else j for j in self._jobs]
        events = sum(len(job.batch.events) for job in kept)
        while events > _EVENTS_MAX and kept and not kept[0].receipts:
            dropped = len(kept.pop(0).batch.events)
            events -= dropped
            self._vitals.events_dropped += dropped
        merged: list[Job] = []
        for job in kept:  # steps that left only events are put together, so that an hour away is not an hour of jobs
            if merged and not merged[-1].receipts and not job.receipts and len(merged[-1].batch) < _COMMIT_ROWS_MAX:
                merged[-1] = Job(_merged([merged[-1].batch, job.batch]), (), merged[-1].received_time)
            else:
                merged.append(job)
        self._jobs = deque(merged)


def _merged(batches: Sequence[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    return Batch(
        reports=[item for batch in batches for item in batch.reports],
        events=[item for batch in batches for item in batch.events],
        rejected=[item for batch in batches for item in batch.rejected],
        statuses=[item for batch in batches for item in batch.statuses],
        sensors=[item for batch in batches for item in batch.sensors],
    )
