from django.core.management.base import BaseCommand

from web.customers import numbers


class Command(BaseCommand):
    help = "Build the table of +86 areas and carriers in the data folder (once, at set-up)."

    def add_arguments(self, parser):
        parser.add_argument("--if-missing", action="store_true")

    def handle(self, *args, **options):
        path = numbers.areas_file()
        if options["if_missing"] and path.exists():
            return
        self.stdout.write(f"{numbers.build_areas()} prefixes in {path.name}")
