"""The identity provider's pages and token endpoint, where the portal is stricter than allauth.

They lie at allauth's own addresses, in front of its views.
"""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.internal.decorators import login_not_required
from allauth.idp.oidc.forms import ConfirmCodeForm
from allauth.idp.oidc.internal.oauthlib.utils import (
    convert_response,
    extract_params,
    get_validator_context,
    respond_html_error,
)
from allauth.idp.oidc.models import Client
from allauth.idp.oidc.views import AuthorizationView, RevokeView, TokenView
from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from oauthlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError, OAuth2Error

from offload_portal.common.middleware import CONTENT_SECURITY_POLICY
from orgs import devices, refreshing
from orgs.frames import person_of
from orgs.oidc import OIDCAdapter


class AuthorizeView(AuthorizationView):  # type: ignore[misc]  # allauth has no types
    """Authorization code with PKCE; S256 only."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("code_challenge_method") != "S256":
            error = InvalidRequestError("code_challenge_method must be S256")
            response: HttpResponse = respond_html_error(request, error=error)
            response.status_code = 400
            return response
        response = super().get(request, *args, **kwargs)
        return _may_return_to(response, request.GET.get("redirect_uri", ""))


def _may_return_to(response: HttpResponse, redirect_uri: str) -> HttpResponse:
    """Browsers hold `form-action` against the redirect that follows the form, too."""
    parts = urlsplit(redirect_uri)
    if response.status_code == 200 and parts.hostname in ("127.0.0.1", "::1"):
        # A policy has no way to write an IPv6 address; there the scheme alone must do.
        target = "http:" if parts.hostname == "::1" else f"http://{parts.netloc}"
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace(
            "form-action 'self'", f"form-action 'self' {target}"
        )
    return response


@method_decorator(csrf_exempt, name="dispatch")
@method_decorator(login_not_required, name="dispatch")
class PortalTokenView(TokenView):  # type: ignore[misc]  # allauth has no types
    """Device codes that lose no approval; refresh tokens whose reuse is seen."""

    def _post_device_token(self, request: HttpRequest) -> HttpResponse:
        try:
            found = devices.poll(request)
        except OAuth2Error as error:
            return HttpResponse(
                error.json, content_type="application/json", status=error.status_code
            )
        get_validator_context().granted_resources = found.record["resources"]
        return self._create_token_response(request, approved=found)

    def _create_token_response(
        self, request: HttpRequest, *, approved: devices.Poll | None = None
    ) -> HttpResponse:
        def answer() -> HttpResponse:
            server = refreshing.portal_server(approved)
            made: HttpResponse = convert_response(
                *server.create_token_response(*extract_params(request))
            )
            return made

        if request.POST.get("grant_type") != Client.GrantType.REFRESH_TOKEN:
            return answer()
        return refreshing.refresh(request, answer) or _invalid_grant()


def _invalid_grant() -> HttpResponse:
    error = InvalidGrantError("The refresh token was used before; sign in again.")
    return JsonResponse(dict(error.twotuples), status=error.status_code)


@method_decorator(csrf_exempt, name="dispatch")
@method_decorator(login_not_required, name="dispatch")
class PortalRevokeView(RevokeView):  # type: ignore[misc]  # allauth has no types
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        server = refreshing.portal_server()
        made: HttpResponse = convert_response(
            *server.create_revocation_response(*extract_params(request))
        )
        return made


class UserCodeForm(ConfirmCodeForm):  # type: ignore[misc]  # allauth has no types
    """The code may be typed without its dash, in small letters, with spaces."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["code"]
        field.label = _("Code")
        field.max_length = 40
        field.widget = forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "class": "input",
                "maxlength": "40",
            }
        )

    def clean_code(self) -> str:
        self.cleaned_data["code"] = devices.normal_user_code(self.cleaned_data["code"])
        code: str = super().clean_code()
        if devices.is_decided(self.device_code):
            raise get_account_adapter().validation_error("incorrect_code")
        return code


@method_decorator(login_required, name="dispatch")
class DeviceView(View):
    """A person types the code that a client shows, sees who asks for what, and decides."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if "code" not in request.GET:
            return self._ask(request, UserCodeForm())
        return self._with_code(request, decide=False)

    def post(self, request: HttpRequest) -> HttpResponse:
        return self._with_code(request, decide=True)

    def _with_code(self, request: HttpRequest, *, decide: bool) -> HttpResponse:
        form = UserCodeForm(request.GET)
        if not form.is_valid():
            return self._ask(request, form)
        names = OIDCAdapter.scope_display
        context = {
            "user_code": form.cleaned_data["code"],
            "client": form.client,
            "scopes": [
                names.get(scope, scope)
                for scope in devices.scopes_asked(form.device_code, form.client)
            ],
        }
        if decide:
            return self._decide(request, form.device_code, context)
        return render(request, "idp/oidc/device_authorization_confirm_form.html", context)

    def _decide(
        self, request: HttpRequest, device_code: str, context: dict[str, Any]
    ) -> HttpResponse:
        approve = request.POST.get("action") == "confirm"
        if not devices.decide(person_of(request), device_code, approve=approve):
            return self._ask(request, UserCodeForm({"code": ""}))
        word = "confirmed" if approve else "denied"
        return render(request, f"idp/oidc/device_authorization_{word}.html", context)

    def _ask(self, request: HttpRequest, form: UserCodeForm) -> HttpResponse:
        status = 400 if form.is_bound else 200
        template = "idp/oidc/device_authorization_code_form.html"
        return render(request, template, {"form": form}, status=status)
