// Every page works without this: it refreshes what stands on a page once a minute, until somebody switches that off,
// sends a form once that is sent twice, and checks a draft while it is typed.
const EVERY_MS = 60000
const TWICE_MS = 1000
const main = document.querySelector('main')
const footer = document.querySelector('body > footer')

// Who presses a button twice means it once: the first answer may be the only one that shows what was made.
let sent = -TWICE_MS
document.addEventListener('submit', event => {
  if (event.timeStamp - sent < TWICE_MS) event.preventDefault()
  else sent = event.timeStamp
})

const busy = () => main.contains(document.activeElement) || main.querySelector('details[open] form') !== null

async function refresh() {
  if (document.hidden || busy()) return
  const answer = await fetch(location.href, { headers: { accept: 'text/html' } })
  if (!answer.ok || answer.redirected) return
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
  const open = new Set([...main.querySelectorAll('details[open] > summary')].map(each => each.textContent))
  const fresh = page.querySelector('main')
  if (fresh === null || busy()) return
  for (const each of fresh.querySelectorAll('details > summary')) each.parentElement.open ||= open.has(each.textContent)
  main.replaceChildren(...fresh.childNodes)
}

if (main.querySelector('[data-refresh]') && footer) {
  const box = document.createElement('input')
  box.type = 'checkbox'
  box.id = 'refresh'
  box.checked = sessionStorage.getItem('refresh') !== 'off'
  const label = document.createElement('label')
  label.htmlFor = 'refresh'
  label.className = 'inline'
  label.append('Refresh this page every minute')
  const line = document.createElement('p')
  line.append(box, label)
  footer.append(line)
  box.addEventListener('change', () => sessionStorage.setItem('refresh', box.checked ? 'on' : 'off'))
  setInterval(() => { if (box.checked) refresh().catch(() => {}) }, EVERY_MS)
}

const draft = document.querySelector('form[data-check]')
const TYPED_MS = 500

function tell(page) {
  for (const now of draft.querySelectorAll('.wrong')) {
    const told = page.getElementById(now.id)?.textContent ?? ''
    if (now.textContent !== told) now.textContent = told
    const field = document.getElementById(now.id.slice(0, -'-wrong'.length))
    if (told.trim()) field?.setAttribute('aria-invalid', 'true')
    else field?.removeAttribute('aria-invalid')
  }
  const said = page.getElementById('said')
  if (said) document.getElementById('said').replaceChildren(...said.childNodes)
}

if (draft) {
  let waits = 0
  let asked = new AbortController()
  draft.addEventListener('input', () => {
    clearTimeout(waits)
    asked.abort()
    waits = setTimeout(async () => {
      asked = new AbortController()
      const body = new URLSearchParams([...new FormData(draft), ['quick', 'yes']])
      const answer = await fetch(draft.action, { method: 'POST', body, signal: asked.signal }).catch(() => null)
      if (!answer?.ok || answer.redirected) return
      const text = await answer.text().catch(() => null)
      if (text !== null) tell(new DOMParser().parseFromString(text, 'text/html'))
    }, TYPED_MS)
  })
}
