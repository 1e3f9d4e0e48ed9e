"""Closing a letter, reading its pages, releasing it; and the page on which anybody compares one."""

import re

from aiohttp import web

from sos.actions.store import published_texts
from sos.http import id_in, page, runtime_of, see, words_of
from sos.letters import steps, store
from sos.letters.letter import ConsentGone, Letter, NobodySigned, NotTypeset, Stopped
from sos.letters.messages import count_line
from sos.staff.web import person_of

HASH_START = re.compile(r"[0-9a-f]{24}")
WHY_NOT: dict[type[Exception], str] = {
    Stopped: "release.stopped",
    ConsentGone: "release.consent",
    NobodySigned: "release.nobody",
    NotTypeset: "release.not_typeset",
}


async def close(request: web.Request) -> web.Response:
    """Close a letter now, before its deadline."""
    runtime, action_id = runtime_of(request), id_in(request)
    await steps.close(runtime, action_id, runtime.clock(), actor=person_of(request).actor)
    raise see(f"/desk/action/{action_id}")


async def stop(request: web.Request) -> web.Response:
    """Stop sending, at once."""
    runtime, action_id = runtime_of(request), id_in(request)
    await steps.stop(runtime, person_of(request), action_id, runtime.clock())
    raise see(f"/desk/action/{action_id}")


async def _letter(request: web.Request) -> Letter:
    async with runtime_of(request).record.reading() as conn:
        letter = await store.find_letter(conn, id_in(request))
    if letter is None:
        raise web.HTTPNotFound
    return letter


async def show_pages(request: web.Request) -> web.Response:
    """The letter as it will be sent, in one language."""
    runtime, letter = runtime_of(request), await _letter(request)
    async with runtime.record.reading() as conn:
        file = (await store.files_of(conn, letter.id)).get(request.match_info["language"])
    if file is None:
        raise web.HTTPNotFound
    pdf = steps.open_pdf(runtime.keys, letter.id, file)
    headers = {"Content-Disposition": f'inline; filename="letter-{file.language}.pdf"'}
    return web.Response(body=pdf, content_type="application/pdf", headers=headers)


async def release(request: web.Request) -> web.Response:
    """Let the letter go."""
    runtime, letter = runtime_of(request), await _letter(request)
    try:
        await steps.release(runtime, person_of(request), letter.id, runtime.clock())
    except tuple(WHY_NOT) as why:
        key = WHY_NOT[type(why)]
        return page(request, "letters/not_released.html", status=409, key=key, action_id=letter.action_id)
    raise see(f"/desk/action/{letter.action_id}")


async def verify(request: web.Request) -> web.Response:
    """Anybody who holds a released letter can compare it: its texts, its fingerprints, how many signed."""
    runtime, start = runtime_of(request), request.match_info["start"]
    if not HASH_START.fullmatch(start):
        raise web.HTTPNotFound
    async with runtime.record.reading() as conn:
        letter = await store.find_released(conn, start)
        if letter is None:
            raise web.HTTPNotFound
        files = await store.files_of(conn, letter.id)
        texts = await published_texts(conn, letter.action_id)
    language = words_of(request).language.code
    return page(
        request, "letters/verify.html", letter=letter, files=files, texts=texts,
        count=count_line(runtime.templates, language, letter),
    )  # fmt: skip
