"""The public clients of the identity provider (api.md, "Who is calling")."""

from django.db import migrations

SCOPES = ["openid", "profile", "email", "sessions", "org:read", "org:write", "usage:read"]
DEFAULT_SCOPES = ["openid", "sessions", "org:read", "usage:read"]
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
CLIENTS = {
    "docker-offload-cli": {
        "name": "Docker Offload CLI",
        "grant_types": [DEVICE, "refresh_token"],
        "response_types": [],
        "redirect_uris": [],
    },
    "docker-offload-desktop": {
        "name": "Docker Offload Desktop",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        # Any port of the loopback address, as RFC 8252 has it.
        "redirect_uris": ["http://127.0.0.1/callback", "http://[::1]/callback"],
    },
}


def make(apps, schema_editor):
    client = apps.get_model("allauth_idp_oidc", "Client")
    for identifier, values in CLIENTS.items():
        client.objects.get_or_create(
            id=identifier,
            defaults={
                "name": values["name"],
                "type": "public",
                "secret": "",
                "scopes": "\n".join(SCOPES),
                "default_scopes": "\n".join(DEFAULT_SCOPES),
                "grant_types": "\n".join(values["grant_types"]),
                "response_types": "\n".join(values["response_types"]),
                "redirect_uris": "\n".join(values["redirect_uris"]),
            },
        )


def remove(apps, schema_editor):
    client = apps.get_model("allauth_idp_oidc", "Client")
    client.objects.filter(id__in=CLIENTS).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("orgs", "0001_initial"),
        ("allauth_idp_oidc", "0003_client_allow_uri_wildcards"),
    ]

    operations = [migrations.RunPython(make, remove)]
