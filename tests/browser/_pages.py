"""Every page there is: who reads it, in what window, and its address in the town of _town.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests._people import PIN
from tests.browser._trade import FAMILY_PHONE


@dataclass(frozen=True, slots=True)
class Page:
    """A page as its reader meets it. {…} in the path stands for the town's values."""

    name: str
    path: str
    #: Who of the town reads it; None is anybody.
    who: str | None
    #: The window of conftest.SIZES.
    size: str
    #: What is opened before it, where the page is for whoever comes from there.
    via: str = ""


RESIDENT = (
    Page("home", "/me", "wei", "phone"),
    Page("home-of-a-newcomer", "/me", "bo", "phone"),
    Page("code", "/me/code", "wei", "phone"),
    Page("offers", "/me/offers", "wei", "phone"),
    Page("passbook", "/me/passbook", "wei", "phone"),
    Page("passbook-minutes", "/me/passbook?unit=minutes", "wei", "phone"),
    Page("statements", "/me/statement", "wei", "phone"),
    Page("statement", "/me/statement/{month}", "wei", "phone"),
    Page("line", "/me/passbook/points/{line}", "wei", "phone"),
    Page("booklet", "/me/passbook/compare", "wei", "phone"),
    Page("own-certificates", "/me/certificates", "wei", "phone"),
    Page("certificate-check", "/v", None, "phone"),
    Page("statement-check", "/v/statement", None, "phone"),
    Page("profile", "/me/profile", "wei", "phone"),
    Page("lookers", "/me/profile/lookers", "wei", "phone"),
    Page("family", "/me/family", "bo", "phone"),
    Page("helping", "/helping", "carer", "phone"),
    Page("helping-passbook", "/helping/{helping}", "carer", "phone"),
    Page("helping-code", "/helping/{helping}/code", "carer", "phone"),
    Page("how-to-scan", "/me/scan", "wei", "phone"),
    Page("activities", "/activities", "wei", "phone"),
    Page("activity", "/activities/{activity}", "wei", "phone"),
    Page("messages", "/me/messages", "wei", "phone"),
    Page("message-settings", "/me/messages/settings", "wei", "phone"),
    Page("objections-of-mine", "/me/objections", "wei", "phone"),
    Page("objection-to-a-line", "/me/passbook/points/{line}/objection", "wei", "phone"),
    Page("notices", "/notices", None, "phone"),
    Page("figures", "/figures", None, "phone"),
    Page("late-mine", "/me/late-entries", "wei", "phone"),
    Page("spot-check", "/a/here", "wei", "phone"),
    Page("station", "/at/NS-01", None, "phone"),
    Page("helped-own", "/h/{helped_secret}", None, "phone"),
    Page("sessions", "/sessions", "wei", "phone"),
    Page("change-pin", "/secret", "wei", "phone"),
    Page("login", "/login", None, "phone"),
    Page("login-choose", "/login/choose", None, "phone", via="/login"),
    Page("landing", "/a/check", "bo", "phone", via="/a/{scan}"),
    Page("landing-of-a-stranger", "/a/check", None, "phone", via="/a/{scan}"),
    Page("register", "/a/register", None, "phone", via="/a/{scan}"),
    Page("calendar", "/me/calendar", "hua", "phone"),
    Page("offers-reserved", "/me/offers", "hua", "phone"),
    Page("passbook-of-a-shopper", "/me/passbook", "hua", "phone"),
    Page("voucher", "/me/vouchers/{voucher}", "hua", "phone"),
    Page("voucher-collected", "/me/vouchers/{voucher_collected}", "hua", "phone"),
    Page("voucher-lapsed", "/me/vouchers/{voucher_lapsed}", "hua", "phone"),
    Page("phone-order", "/me/orders/{order}", "hua", "phone"),
    Page("pay-sticker", "/p/{sticker}", "hua", "phone"),
    Page("my-teams", "/me/teams", "wei", "phone"),
    Page("my-team", "/me/teams/{team}", "wei", "phone"),
    Page("my-team-statement", "/me/teams/{team}/statements/2026-11", "wei", "phone"),
    Page("notice", "/notices/{notice}", None, "phone"),
    Page("notice-objection", "/notices/{notice}/objection", None, "phone"),
    Page("figures-of-a-branch", "/figures/NS-01", None, "phone"),
    Page("figures-dictionary", "/figures/dictionary", None, "phone"),
    Page("logs", "/log", None, "phone"),
    Page("log", "/log/{book}", None, "phone"),
    Page("certificate-checked", "/v?code={certificate_code}", None, "phone"),
    Page("expired-code", "/a/check", None, "phone"),
    Page("not-found", "/nowhere", None, "phone"),
    Page("entry-proof", "/log/{book}/entries/{entry_hex}", None, "phone"),
    Page("deed-proof", "/log/{book}/access/deeds/1", None, "phone"),
    Page("boards", "/board", None, "phone"),
    Page("board-days", "/board/{book}", None, "phone"),
    Page("board-sheet", "/board/{book}/{board_day}", None, "phone"),
    Page("board-check", "/board/check", None, "phone"),
)
#: They bring a script of their own, and what it checks.
PROOFS = (
    Page("statement-proof", "/me/statement/{month}/proof", "wei", "phone"),
    Page("statement-proof-running", "/me/statement/2026-11/proof", "wei", "phone"),
)
COUNTER = (
    Page("counter", "/counter", "yulan", "counter"),
    Page("counter-done", "/counter?done={charge}", "yulan", "counter"),
    Page("counter-day", "/counter/day?on={shop_day}", "yulan", "counter"),
    Page("counter-day-empty", "/counter/day?on=2026-01-04", "yulan", "counter"),
    Page("counter-receipt", "/counter/receipts/{charge}", "yulan", "counter"),
    Page("counter-refund", "/counter/receipts/{charge}/refund", "yulan", "counter"),
    Page("counter-zreports", "/counter/zreports", "yulan", "counter"),
    Page("counter-stickers", "/counter/stickers", "yulan", "counter"),
    Page("counter-statements", "/counter/statement", "yulan", "counter"),
    Page("counter-statement", "/counter/statement/{month}", "yulan", "counter"),
    Page("counter-of-a-shop", "/counter", "fang", "counter"),
    Page("counter-phone-order", "/counter/phone-orders/{order}", "fang", "counter"),
    Page("counter-refunded", "/counter/receipts/{refunded}/refund", "fang", "counter"),
    Page("counter-zreports-closed", "/counter/zreports", "fang", "counter"),
    Page("counter-zreport", "/counter/zreports/{zreport}", "fang", "counter"),
    Page("counter-settlements", "/counter/settlements", "fang", "counter"),
    Page("counter-settlement", "/counter/settlements/{settlement}", "fang", "counter"),
    Page("counter-offers", "/counter/offers", "fang", "counter"),
    Page("counter-offer-new", "/counter/offers/new", "fang", "counter"),
    Page("counter-draft", "/counter/drafts/{draft}", "fang", "counter"),
    Page("counter-draft-returned", "/counter/drafts/{returned}", "yulan", "phone"),
    Page("counter-messages", "/counter/messages", "fang", "counter"),
    Page("desk", "/staff/desk/{desk}", "min", "counter"),
    Page("stall", "/stall", "hands", "phone"),
    Page("desk-phone", "/staff/desk/{desk}", "min", "phone"),
    Page("desk-offline", "/staff/desk/{desk}/offline", "min", "phone"),
)
STAFF = (
    Page("staff-activities", "/staff/activities", "min", "desk"),
    Page("staff-activity-new", "/staff/activities/new", "min", "desk"),
    Page("staff-activity", "/staff/activities/{activity}", "min", "desk"),
    Page("staff-activity-edit", "/staff/activities/{activity}/edit", "min", "desk"),
    Page("staff-session", "/staff/sessions/{session}", "min", "desk"),
    Page("staff-session-poster", "/staff/sessions/{week}", "min", "desk"),
    Page("poster", "/staff/sessions/{week}/posters/{serial}", "min", "desk"),
    Page("fairs", "/staff/fairs", "min", "desk"),
    Page("fair-new", "/staff/fairs/new", "min", "desk"),
    Page("fair", "/staff/fairs/{fair}", "min", "desk"),
    Page("stall-slip", "/staff/stalls/{stall}/slip", "min", "desk"),
    Page("stall-slip-shop", "/staff/stalls/{shop_stall}/slip", "min", "desk"),
    Page("paper", "/staff/sessions/{week}/paper", "min", "desk"),
    Page("paper-entry", "/staff/sessions/{session}/paper/entry", "min", "desk"),
    Page("paper-show", "/staff/papers/{paper}", "min", "desk"),
    Page("reviews", "/staff/reviews", "min", "desk"),
    Page("late-entries", "/staff/late-entries", "min", "desk"),
    Page("late-entry-new", "/staff/sessions/{past_session}/late-entries", "min", "desk"),
    Page("late-entry", "/staff/late-entries/{late}", "min", "desk"),
    Page("late-approval", "/staff/approvals/{late_request}", "director", "desk"),
    Page("spot-checks", "/staff/sessions/{desk}/spot-checks", "min", "desk"),
    Page("helped", "/staff/sessions/{home_session}/helped", "min", "desk"),
    Page("helped-card", "/staff/sessions/{home_session}/helped/{helped}/card", "min", "desk"),
    Page("standing-code", "/staff/branches/{branch}/standing-code", "min", "desk"),
    Page("devices", "/staff/devices", "min", "desk"),
    Page("sign-off-nobody", "/staff/sessions/{session}/sign-off", "min", "desk"),
    Page("sign-off", "/staff/sessions/{waiting}/sign-off", "min", "desk"),
    Page("sign-off-held", "/staff/sessions/{held}/sign-off", "director", "desk"),
    Page("signed-off", "/staff/sessions/{past_session}/sign-off", "min", "desk"),
    Page("award-slips", "/staff/sessions/{past_session}/slips", "min", "desk"),
    Page("board-sheet-desk", "/board/{book}/{board_day}", None, "desk"),
    Page("staff-notices", "/staff/notices", "min", "desk"),
    Page("staff-objections", "/staff/objections", "min", "desk"),
    Page("staff-inbox", "/staff/inbox", "min", "desk"),
    Page("staff-deliveries", "/staff/messages", "min", "desk"),
    Page("residents", "/staff/residents", "min", "desk"),
    Page("resident-new", "/staff/residents/new", "min", "desk"),
    Page("resident-reason", "/staff/residents/{resident}/reason", "min", "desk"),
    Page("resident", "/staff/residents/{resident}", "min", "desk"),
    Page("resident-helpers", "/staff/residents/{resident}/helpers", "min", "desk"),
    Page("helpers", "/staff/helpers", "min", "desk"),
    Page("teams", "/staff/teams", "min", "desk"),
    Page("team-new", "/staff/teams/new", "min", "desk"),
    Page("team", "/staff/teams/{team}", "min", "desk"),
    Page("resident-edit", "/staff/residents/{resident}/edit", "min", "desk"),
    Page("forget", "/staff/residents/{resident}/forget", "min", "desk"),
    Page("forgetting", "/staff/forgetting", "min", "desk"),
    Page("forgetting-request", "/staff/forgetting/{forgetting}", "min", "desk"),
    Page("resident-messages", "/staff/residents/{resident}/messages", "min", "desk"),
    Page("resident-statements", "/staff/residents/{resident}/statement", "min", "desk"),
    Page("resident-statement", "/staff/residents/{resident}/statement/{month}", "min", "desk"),
    Page("resident-certificates", "/staff/residents/{resident}/certificates", "min", "desk"),
    Page("certificates", "/staff/certificates", "min", "desk"),
    Page("prints", "/staff/prints", "min", "desk"),
    Page("cards", "/staff/residents/cards?id={resident}", "min", "desk"),
    Page("approvals", "/staff/approvals", "director", "desk"),
    Page("approval", "/staff/approvals/{approval}", "director", "desk"),
    Page("approval-mine", "/staff/approvals/{approval}", "min", "desk"),
    Page("ask-reversal", "/staff/approvals/reversal?book={book}&entry_id={award}", "min", "desk"),
    Page("ask-adjustment", "/staff/approvals/adjustment?resident_id={resident}", "min", "desk"),
    Page("roster", "/staff/roster", "min", "desk"),
    Page("roster-preview", "/staff/roster/{import}", "min", "desk"),
    Page("merchants", "/staff/merchants", "min", "desk"),
    Page("merchant", "/staff/merchants/{merchant}", "min", "desk"),
    Page("merchant-new", "/staff/merchants/new", "min", "desk"),
    Page("merchant-edit", "/staff/merchants/{merchant}/edit", "min", "desk"),
    Page("staff-offers", "/staff/offers", "min", "desk"),
    Page("offer-new", "/staff/offers/new?merchant={merchant}", "min", "desk"),
    Page("offer", "/staff/offers/{offer}", "min", "desk"),
    Page("staff-drafts", "/staff/drafts", "min", "desk"),
    Page("staff-draft", "/staff/drafts/{draft}", "min", "desk"),
    Page("notice-sheet", "/notices/{notice}/sheet", None, "desk"),
    Page("staff-notice", "/staff/notices/{notice}", "min", "desk"),
    Page("staff-objection", "/staff/objections/{objection}", "min", "desk"),
    Page("staff-certificate", "/staff/certificates/{certificate}", "min", "desk"),
    Page("resident-booklet", "/staff/residents/{resident}/passbook", "min", "desk"),
    Page("staff-charge", "/staff/redemptions/{refunded}", "min", "desk"),
    Page("staff-zreports", "/staff/merchants/{grain}/zreports", "min", "desk"),
    Page("staff-zreport", "/staff/zreports/{zreport}", "min", "desk"),
    Page("settlements", "/staff/settlements", "min", "desk"),
    Page("settlement", "/staff/settlements/{settlement}", "min", "desk"),
    Page("budgets", "/staff/budget", "director", "desk"),
    Page("budget", "/staff/budget/{hub}", "director", "desk"),
    Page("audit", "/audit", "he", "desk"),
    Page("audit-look", "/audit/look", "he", "desk"),
    Page("deeds", "/audit/deeds", "he", "desk"),
    Page("audit-wrong-filter", "/audit?kind=nothing", "he", "desk"),
    Page("audit-nothing-found", "/audit?rule=Z99", "he", "desk"),
    Page("audit-entry", "/audit/entries/{book}/{entry}", "he", "desk"),
    Page("audit-account", "/audit/accounts/{account}", "he", "desk"),
    Page("audit-statements", "/audit/statements", "he", "desk"),
    Page("audit-statements-of-a-shop", "/audit/accounts/{shop_account}/statements", "he", "desk"),
    Page("audit-statement-of-a-shop", "/audit/accounts/{shop_account}/statements/{month}", "he", "desk"),
    Page("trial-balance", "/audit/trial-balance", "he", "desk"),
    Page("grades", "/audit/grades?month=2026-10", "he", "desk"),
    Page("verify", "/audit/verify", "he", "desk"),
    Page("verified", "/audit/verify?run=1&book=NS-00", "he", "desk"),
    Page("jobs", "/admin/jobs", "director", "desk"),
    Page("witnesses", "/log/{book}/witnesses", "director", "desk"),
    Page("branches", "/admin/branches", "director", "desk"),
    Page("branch-new", "/admin/branches/new", "director", "desk"),
    Page("branch", "/admin/branches/{branch}", "director", "desk"),
    Page("logins", "/admin/logins", "director", "desk"),
    Page("login-new", "/admin/logins/new", "director", "desk"),
    Page("staff-login", "/admin/logins/{login}", "director", "desk"),
    Page("rules", "/rules", "director", "desk"),
    Page("rule", "/rules/V01", "director", "desk"),
    Page("tokens", "/tokens", "director", "desk"),
)
DISPLAY = (
    Page("display", "/display/{session}", "min", "screen"),
    Page("fair-display", "/display/fairs/{fair}", "min", "screen"),
    Page("notice-screen", "/notices/screen/NS-01", None, "screen"),
)
PAGES = RESIDENT + PROOFS + COUNTER + STAFF + DISPLAY
#: Which addresses that answer a GET are no page that somebody reads, by what they are.
NO_PAGES = {
    "leads elsewhere": {
        "home.first_page", "preferences.language", "preferences.elder", "preferences.theme", "scan.scan",
    },
    "a part of a page, or its pulse": {
        "spots.here_open", "counter.arrivals", "counter.outcome", "counter.phone_order_state", "scan.display_code",
        "fairs.display_totals", "helped.own_code", "spending.paid", "helping_codes.paid", "access.stay",
        "offline.roster", "offline.ready",
    },
    "for programs": {
        "health.healthz", "health.readyz", "metrics.show_metrics", "offline.worker", "static", "certificate_check.keys",
        "proofs.deed_file", "proofs.proof_file", "calendars.of_branch", "calendars.of_resident",
        "roster.refused", "drafts.photo",
    },
    "while developing": {"preferences.show_gallery"},
    "is the page /v with another question": {"certificate_check.check_token"},
}  # fmt: skip
#: What the other files and interfaces have in their address.
NO_PAGE_PATHS = r"/api/v1/|\.(csv|xlsx|json|pdf|txt|zip)$|<any\(csv, json\):form>$"
#: The open formats of the logs.
NO_PAGE_BLUEPRINTS = {"log"}


def go(window: Any, page: Page, values: Mapping[str, Any]) -> Any:
    """Open a page as its reader comes to it, and return its answer."""
    path = page.path.format(**values)
    if page.via:
        window.goto(page.via.format(**values))
    if page.via == "/login":
        window.fill("#identifier", FAMILY_PHONE)
        window.fill("#secret", PIN)
        window.locator("main form button[type=submit]").click()
    answer = window.goto(path)
    if answer.url.partition("?")[0].endswith("/reason") and page.name != "resident-reason":
        window.locator("button[name=reason]").first.click()
        answer = window.goto(path)
    return answer
