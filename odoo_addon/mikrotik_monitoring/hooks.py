import logging

from .gateway import clients, secrets

_logger = logging.getLogger(__name__)


def uninstall_hook(env):
    """Remove the secrets of this database's connections: they are files, which Odoo doesn't know of."""
    connections = env["mikrotik.connection"]
    for connection in connections.with_context(active_test=False).search([]):
        clients.CLIENTS.forget(connection._key())
    root, database = connections._secrets_root(), env.cr.dbname

    def remove():
        try:
            secrets.remove_database(root, database)
        except OSError as error:
            _logger.error("the secrets of %s in %s can't be removed: %s", database, root, error)

    env.cr.postcommit.add(remove)
