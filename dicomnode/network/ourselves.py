"""How the node reaches itself, to find out whether it answers."""

from ..settings import PeerSettings, Settings

EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to find what listens there


def ourselves(settings: Settings, port: int, tls_port: int) -> PeerSettings:
    """The node as a peer, on the ports that were found: without TLS where that is spoken."""
    node, tls = settings.node, settings.tls
    host = EVERY_ADDRESS.get(node.host, node.host)
    if node.plain:
        return PeerSettings(ae_title=node.ae_title, host=host, port=port)
    return PeerSettings(
        ae_title=node.ae_title,
        host=host,
        port=tls_port,
        tls=True,
        tls_check_host=False,  # whatever name it is made out to, it is ours
        tls_ca=tls.certificate,
        tls_certificate=tls.certificate,
        tls_key=tls.key,
    )
