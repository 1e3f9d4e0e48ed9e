// Replaces the part of a page that changes. Without it the page loads anew by itself.
const live = document.querySelector("[data-live]");
if (live && window.EventSource) {
  const source = new EventSource(live.dataset.live);
  source.onmessage = (event) => { live.innerHTML = event.data; };
}
