"""Every address, with its permission on the same line."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from sos.actions import correcting_web as correcting
from sos.actions import web as actions
from sos.desk import action_page, deliveries, sending
from sos.desk import web as desk
from sos.endorsements import web as endorsements
from sos.inbound import web as inbound
from sos.intake import web as intake
from sos.letters import web as letters
from sos.outreach import by_hand_web as by_hand
from sos.outreach import web as outreach
from sos.practice import web as practice
from sos.staff import web as staff
from sos.staff.staff import Permission as P
from sos.triage import web as triage
from sos.triage import web_steps as cases


@dataclass(frozen=True, slots=True)
class Route:
    """One address: what it asks of whoever opens it, and what answers."""

    method: str
    path: str
    permission: P
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]


def get(path: str, permission: P, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Route:
    return Route("GET", path, permission, handler)


def post(path: str, permission: P, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Route:
    return Route("POST", path, permission, handler)


ROUTES = (
    get("/", P.ANYONE, intake.choose_language),
    get("/healthz", P.ANYONE, intake.tell_health),
    get("/{lang}", P.ANYONE, intake.show_start),
    get("/{lang}/report", P.ANYONE, intake.show_form),
    post("/{lang}/report", P.ANYONE, intake.file),
    get("/{lang}/receipt", P.ANYONE, intake.ask_receipt),
    post("/{lang}/receipt", P.ANYONE, intake.show_receipt),
    get("/s/{token}", P.LINK, endorsements.show),
    post("/s/{token}", P.LINK, endorsements.sign),
    post("/s/{token}/withdraw", P.LINK, endorsements.take_back),
    post("/s/{token}/seen", P.LINK, endorsements.see),
    get("/r/{lang}/{id}/{proof}", P.LINK, endorsements.read),
    get("/u/{token}", P.LINK, outreach.ask_opt_out),
    post("/u/{token}", P.LINK, outreach.opt_out),
    get("/v/{start}", P.ANYONE, letters.verify),
    post("/in/sms", P.PROVIDER, inbound.sms),
    post("/in/sms/{token}", P.PROVIDER, inbound.sms_status),
    post("/in/telegram", P.PROVIDER, inbound.telegram),
    get("/desk/sign-in", P.ANYONE, staff.ask_sign_in),
    post("/desk/sign-in", P.ANYONE, staff.sign_in),
    post("/desk/sign-out", P.SIGNED_IN, staff.sign_out),
    get("/desk/staff", P.SIGNED_IN, staff.show_staff),
    post("/desk/staff/{id}/keys", P.GRANT, staff.grant_keys),
    get("/desk/actions", P.READ_ACTIONS, action_page.list_actions),
    get("/desk/case/{id}/action", P.DRAFT, actions.ask_action),
    post("/desk/case/{id}/action", P.DRAFT, actions.draft_action),
    get("/desk/action/{id}", P.READ_ACTIONS, action_page.show_action),
    get("/desk/action/{id}/live", P.READ_ACTIONS, action_page.follow_action),
    get("/desk/action/{id}/deliveries", P.READ_CONTACTS, deliveries.show_behind),
    get("/desk/contacts", P.READ_CONTACTS, deliveries.ask_contact),
    post("/desk/contacts", P.READ_CONTACTS, deliveries.find_contact),
    get("/desk/contact/{id}", P.READ_CONTACTS, deliveries.show_contact),
    get("/desk/dead", P.READ_CONTACTS, deliveries.show_dead),
    post("/desk/dead", P.READ_CONTACTS, deliveries.mend),
    get("/desk/calls", P.CALL, by_hand.show_calls),
    get("/desk/calls/sheet", P.CALL, by_hand.show_sheet),
    get("/desk/calls/{number}", P.CALL, by_hand.show_call),
    post("/desk/calls/{number}/take", P.CALL, by_hand.take),
    post("/desk/calls/{number}/give-back", P.CALL, by_hand.give_back),
    post("/desk/calls/{number}/outcome", P.CALL, by_hand.say_outcome),
    get("/desk/sending", P.SIGNED_IN, sending.show_sending),
    post("/desk/sending/pause", P.STOP, sending.pause_sending),
    post("/desk/sending/resume", P.STOP, sending.resume_sending),
    get("/desk/action/{id}/text/{language}", P.TRANSLATE, actions.ask_text),
    post("/desk/action/{id}/text/{language}", P.TRANSLATE, actions.write_text),
    post("/desk/action/{id}/text/{language}/review", P.TRANSLATE, actions.review_text),
    post("/desk/action/{id}/check", P.READ_CASES, actions.check_names),
    get("/desk/action/{id}/audience", P.DRAFT, actions.ask_audience),
    post("/desk/action/{id}/audience", P.DRAFT, actions.change_audience),
    get("/desk/action/{id}/target", P.DRAFT, actions.ask_target),
    post("/desk/action/{id}/target", P.DRAFT, actions.add_target),
    get("/desk/action/{id}/correction", P.DRAFT, correcting.ask_correction),
    post("/desk/action/{id}/correction", P.DRAFT, correcting.begin_correction),
    post("/desk/action/{id}/approve", P.APPROVE, actions.approve),
    post("/desk/action/{id}/launch", P.SEND, outreach.launch),
    post("/desk/action/{id}/text/{language}/send", P.APPROVE, outreach.send_late_text),
    post("/desk/action/{id}/stop", P.STOP, letters.stop),
    post("/desk/action/{id}/close", P.RELEASE, letters.close),
    get("/desk/letter/{id}/{language}.pdf", P.READ_ACTIONS, letters.show_pages),
    post("/desk/letter/{id}/release", P.RELEASE, letters.release),
    get("/demo", P.PRACTICE, practice.show_tour),
    get("/demo/phones", P.PRACTICE, practice.show_phones),
    get("/demo/phones/{id}", P.PRACTICE, practice.show_phone),
    post("/demo/phones/{id}", P.PRACTICE, practice.reply),
    get("/desk", P.SIGNED_IN, desk.show_queue),
    get("/desk/report/{id}", P.READ_REPORTS, triage.show_report),
    post("/desk/report/{id}/case", P.WORK_CASES, triage.make_case),
    get("/desk/case/{id}", P.READ_CASES, triage.show_case),
    post("/desk/case/{id}/first-contact", P.WORK_CASES, cases.make_first_contact),
    post("/desk/case/{id}/wait", P.WORK_CASES, cases.wait_for_reporter),
    post("/desk/case/{id}/go-on", P.WORK_CASES, cases.go_on),
    post("/desk/case/{id}/hand-over", P.WORK_CASES, cases.hand_over),
    post("/desk/case/{id}/keep", P.WORK_CASES, cases.take_back),
    post("/desk/case/{id}/accept", P.WORK_CASES, cases.accept),
    post("/desk/case/{id}/take-over", P.WORK_CASES, cases.take_over),
    post("/desk/case/{id}/close", P.WORK_CASES, cases.close),
    post("/desk/case/{id}/subject", P.WORK_CASES, cases.add_subject),
    post("/desk/case/{id}/consent", P.WORK_CASES, cases.record_consent),
    post("/desk/case/{id}/resume", P.WORK_CASES, desk.resume_sending),
    post("/desk/case/{id}/mandate", P.VERIFY, cases.answer_mandate),
    post("/desk/case/{id}/corroboration", P.VERIFY, cases.corroborate),
    post("/desk/case/{id}/grades", P.VERIFY, cases.grade),
    post("/desk/case/{id}/risks", P.VERIFY, cases.weigh_risks),
    post("/desk/case/{id}/verify", P.VERIFY, cases.verify),
)
