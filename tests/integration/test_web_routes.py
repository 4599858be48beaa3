"""Every route of the application as an attacker would try it: without a login, with too little of one, with forgeries.

The routes are those that the application has, so that a new one is tried as well.
"""

import re

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import RouteContext

from dicomnode.answer.web.guard import COOKIE, OPEN_TO_ALL, READING, Allow, check_routes, routes_of, rules_of
from dicomnode.answer.web.login import local
from storage.records import Role
from tests.fixtures.pages import Pages

ORDER = tuple(Role)


def routes(app: FastAPI) -> list[tuple[str, str, RouteContext]]:
    """Method and a path that fits, for every route that is not open."""
    return [
        (method, re.sub(r"\{[^}]*\}", "1", route.path or ""), route)
        for route in routes_of(app)
        if route.path not in OPEN_TO_ALL
        for method in sorted(route.methods or ())
    ]


def role_of(route: RouteContext) -> Role:
    """The highest role that a rule of the route asks for."""
    return max((rule.role for rule in rules_of(route)), key=ORDER.index)


def test_nothing_is_answered_to_nobody(pages: Pages) -> None:
    pages.someone(Role.VIEWER)
    assert len(routes(pages.app)) >= 4
    for method, path, _ in routes(pages.app):
        for headers in ({}, {"Accept": "application/json"}, {"HX-Request": "true"}):
            for cookies in ({}, {COOKIE: "guessed"}):
                visitor = pages.visitor()
                visitor.client.cookies.update(cookies)
                answer = visitor.client.request(method, path, headers=headers)
                assert answer.status_code in (401, 303), (method, path)
                if answer.status_code == 303:
                    assert answer.headers["location"].startswith("/login?next=")
        assert pages.visitor().client.request(method, path, headers={"Authorization": "Bearer dn_guess"}).is_error


def test_too_little_of_a_role_is_refused(pages: Pages) -> None:
    for method, path, route in routes(pages.app):
        for role in ORDER[: ORDER.index(role_of(route))]:
            browser = pages.someone(role)
            answer = browser.client.request(method, path, headers={"X-Form-Word": browser.form_word})
            assert answer.status_code == 403, (method, path, role)


def test_a_forged_form_changes_nothing(pages: Pages) -> None:
    browser = pages.someone(Role.ADMINISTRATOR)
    other = pages.visitor()
    other.log_in("Some administrator")
    for method, path, _ in routes(pages.app):
        if method in READING:
            continue
        for word in ("", "guessed", other.form_word):
            answer = browser.client.request(method, path, data={"form_word": word})
            assert (answer.status_code, "form" in answer.text) == (403, True), (method, path)
        answer = browser.client.request(
            method, path, data={"form_word": browser.form_word}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.status_code == 403, (method, path)
    assert browser.get("/account").status_code == 200


def test_a_key_opens_its_areas_alone(pages: Pages) -> None:
    secret, _ = pages.parts.keys.add("script", Role.ADMINISTRATOR, ["dicomweb"], "test", None)
    for method, path, route in routes(pages.app):
        if any(rule.area == "dicomweb" for rule in rules_of(route)):
            continue
        headers = {"Authorization": f"Bearer {secret}"}
        assert pages.visitor().client.request(method, path, headers=headers).status_code == 403, (method, path)


def test_a_route_without_a_rule_stops_the_start() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    router = APIRouter(dependencies=[Depends(Allow(Role.VIEWER, "cases"))])
    router.add_api_route("/guarded", lambda: "fine")
    app.include_router(router)
    check_routes(app)
    app.add_api_route("/open", lambda: "everybody")
    with pytest.raises(RuntimeError, match="/open"):
        check_routes(app)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/..%5capp.py",
        "/static//etc/passwd",
        "/static/%2e%2e/%2e%2e/%2e%2e/settings.py",
    ],
)
def test_no_path_leads_out_of_the_static_files(pages: Pages, path: str) -> None:
    answer = pages.visitor().get(path)
    assert answer.status_code in (401, 404, 303)
    assert "import" not in answer.text


@pytest.mark.parametrize(
    "onwards",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "/\t/evil.example",
        "evil",
    ],
)
def test_a_login_leads_nowhere_else(pages: Pages, onwards: str) -> None:
    assert local(onwards) == "/"
    pages.someone(Role.VIEWER)
    answer = pages.visitor().log_in("Some viewer", onwards=onwards)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_every_answer_has_the_headers(pages: Pages) -> None:
    for path in ("/", "/login", "/static/style.css", "/nothing", "/healthz"):
        headers = pages.visitor().get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
        assert headers["cache-control"] == ("max-age=3600" if path.startswith("/static") else "no-store")


def test_pages_are_not_answered_over_a_plain_connection(pages: Pages) -> None:
    pages.someone(Role.VIEWER)
    stranger = pages.visitor("192.0.2.7")
    assert stranger.get("/login").status_code == 403
    assert stranger.get("/").status_code == 403
    assert stranger.get("/healthz").status_code == 200
