import os

from django.core.wsgi import get_wsgi_application

from offload_portal.common.open_files import allow_many_open_files
from offload_portal.common.shared_postgresql import share_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "offload_portal.settings")

application = get_wsgi_application()
share_connections()
allow_many_open_files()
