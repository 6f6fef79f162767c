from . import banner
