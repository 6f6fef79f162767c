from . import cli, controllers, models, wizard
from .hooks import uninstall_hook
