from celery import shared_task


@shared_task
def sweep():
    from web.jobs import services

    services.sweep()
