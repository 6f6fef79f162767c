from . import connection_test
