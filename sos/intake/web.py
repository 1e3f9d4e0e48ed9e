"""The reporter's pages: the five fields, the receipt, and coming back with it."""

from typing import Annotated

import structlog
from aiohttp import web
from psycopg import Error as DatabaseError
from pydantic import BaseModel, StringConstraints

from sos.http import NOTHING_TYPED, BadForm, Problem, page, read_form, runtime_of, words_of
from sos.intake.report import (
    AlreadyFiled,
    FiledOtherwise,
    Receipt,
    ReceiptLocked,
    Told,
    Urgency,
    WrongReceipt,
    new_form_secret,
)
from sos.intake.steps import come_back, file_report
from sos.texts import plain_digits

log = structlog.get_logger()

Long = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


class ReportForm(BaseModel):
    """The five fields, and the secret that makes this form one report."""

    what: Long
    whom: Short
    where: Short
    urgency: Urgency
    reach: Annotated[str, StringConstraints(max_length=2_000)] = ""
    form: Annotated[str, StringConstraints(min_length=32, max_length=64)]


class ReceiptForm(BaseModel):
    """What she kept."""

    number: Short
    code: Short


async def choose_language(request: web.Request) -> web.Response:
    """The languages, each by its own name."""
    return page(request, "intake/languages.html")


async def show_start(request: web.Request) -> web.Response:
    """What can be done here, in her language."""
    return page(request, "intake/start.html")


async def show_form(request: web.Request) -> web.Response:
    """An empty form with a secret of its own."""
    return _form(request, NOTHING_TYPED, new_form_secret())


async def file(request: web.Request) -> web.Response:
    """Store the report, then show its receipt; or say plainly that it was not stored, with everything kept."""
    try:
        form = await read_form(request, ReportForm)
    except BadForm as bad:
        secret = new_form_secret() if "form" in bad.problems else bad.typed["form"]
        return _form(request, bad, secret, status=422)
    runtime = runtime_of(request)
    try:
        receipt = await file_report(
            runtime.record,
            Told(form.what, form.whom, form.where, form.reach),
            form_secret=form.form,
            language=words_of(request).language.code,
            urgency=form.urgency,
            now=runtime.clock(),
        )
    except AlreadyFiled as already:
        return page(request, "intake/already.html", number=already.number)
    except FiledOtherwise as first:
        return _form(request, _kept(form), new_form_secret(), status=409, first=first.number)
    except DatabaseError:
        log.exception("report.lost")
        return _form(request, _kept(form), form.form, status=503, is_lost=True)
    return page(request, "intake/receipt_made.html", receipt=receipt)


def _kept(form: ReportForm) -> BadForm:
    """What was typed, none of it wrong."""
    return BadForm(form.model_dump(mode="json"), {})


def _form(
    request: web.Request, form: BadForm, secret: str, *, status: int = 200, is_lost: bool = False, first: int = 0
) -> web.Response:
    return page(
        request, "intake/report.html", status=status, form=form, form_secret=secret, is_lost=is_lost, first=first
    )


async def ask_receipt(request: web.Request) -> web.Response:
    """Two fields: the number and the code."""
    return page(request, "intake/receipt.html", form=NOTHING_TYPED)


async def show_receipt(request: web.Request) -> web.Response:
    """Her own words and how far they have come."""
    try:
        form = await read_form(request, ReceiptForm)
    except BadForm as bad:
        return page(request, "intake/receipt.html", status=422, form=bad)
    runtime, typed = runtime_of(request), {"number": form.number}
    try:
        returned = await come_back(runtime.record, _receipt(form), runtime.clock())
    except WrongReceipt:
        return _refuse(request, typed, Problem("receipt.wrong"))
    except ReceiptLocked as locked:
        return _refuse(request, typed, Problem("receipt.locked", {"when": words_of(request).when(locked.until)}))
    return page(request, "intake/returned.html", returned=returned)


def _receipt(form: ReceiptForm) -> Receipt:
    """What people copy has spaces, dashes and digits of their own script."""
    number, code = ("".join(c for c in plain_digits(text) if c.isdecimal()) for text in (form.number, form.code))
    return Receipt(int(number[:9] or 0), code)


def _refuse(request: web.Request, typed: dict[str, str], problem: Problem) -> web.Response:
    return page(request, "intake/receipt.html", status=422, form=BadForm(typed, {"code": problem}))


async def tell_health(request: web.Request) -> web.Response:
    """Whether this process reaches the record; nothing else is said."""
    async with runtime_of(request).record.reading() as conn:
        await conn.execute("SELECT 1")
    return web.Response(text="ok\n")
