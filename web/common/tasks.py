from celery import shared_task


@shared_task
def seal():
    from web.jobs.services import with_lease

    from .audit import seal_tail

    with_lease("audit-sealer", seal_tail)
