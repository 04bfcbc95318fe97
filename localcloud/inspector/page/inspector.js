// The inspector's page: asks what has changed, draws it anew, keeps what a person has opened, focused or typed.
// What comes from messages is only ever set as text.

const LOOK_MS = 2000, LONGEST_PAUSE_MS = 15000, QUIET_MS = 10000, SAID_MS = 9000
const FAULTS = {
  duplicate: 'delivered twice', delay: 'up to a minute late', reorder: 'behind others', fail: 'nobody is reached',
  drop: 'the answer is lost',
}
const LANES = ['customer', 'orders', 'process_order', 'catalog', 'take_payment', 'payments', 'payment_callback', 'notify_customer']

const byId = (id) => document.getElementById(id)
const main = byId('main')
const known = { overview: null, etag: '', failures: 0, held: false, detail: {}, dead: null, announced: 0 }

// ---- Elements -------------------------------------------------------------------------------------------------------

const maker = (namespace) => (tag, attributes, ...children) => {
  const element = document.createElementNS(namespace, tag)
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false))
  return element
}
const h = maker('http://www.w3.org/1999/xhtml')
const s = maker('http://www.w3.org/2000/svg')

function morph(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data
    return
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(old.nodeName === 'DETAILS' && name === 'open')) old.removeAttribute(name)
  }
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value)
  if (old.nodeName !== 'TEXTAREA') morphChildren(old, fresh)
}

function morphChildren(old, fresh) {
  const key = (node) => node?.dataset?.key
  const kept = new Map([...old.children].filter(key).map((child) => [key(child), child]))
  let at = old.firstChild
  for (const next of [...fresh.childNodes]) {
    const alike = at && !key(at) && !key(next) && at.nodeName === next.nodeName ? at : null
    const match = key(next) ? kept.get(key(next)) : alike
    if (!match || match.nodeName !== next.nodeName) {
      old.insertBefore(next, at)
      continue
    }
    if (match === at) at = at.nextSibling
    else old.insertBefore(match, at)
    morph(match, next)
  }
  while (at) {
    const gone = at
    at = at.nextSibling
    gone.remove()
  }
}

// ---- Words ----------------------------------------------------------------------------------------------------------

const many = (count, one, more = `${one}s`) => `${count.toLocaleString('en')} ${count === 1 ? one : more}`
const sum = (list, of) => list.reduce((total, each) => total + of(each), 0)

function relative(iso) {
  const seconds = (Date.now() - Date.parse(iso)) / 1000
  const size = Math.abs(seconds)
  if (size < 1) return 'now'
  const [unit, per] = size < 60 ? ['s', 1] : size < 3600 ? ['min', 60] : size < 86400 ? ['h', 3600] : ['d', 86400]
  const text = `${Math.floor(size / per)} ${unit}`
  return seconds < 0 ? `in ${text}` : `${text} ago`
}

const exact = (iso) => new Date(iso).toISOString().replace('T', ' ').replace('Z', ' UTC')
const when = (iso) => (iso ? h('time', { datetime: iso, title: exact(iso) }, relative(iso)) : '–')
const tag = (kind, text) => h('span', { class: `tag ${kind}` }, text)
const number = (count, kind = '') =>
  h('td', { class: `n${count ? '' : ' zero'}` }, count && kind ? tag(kind, count.toLocaleString('en')) : count.toLocaleString('en'))
const none = (text) => h('p', { class: 'none' }, text)

function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}

// ---- Pieces ---------------------------------------------------------------------------------------------------------

const panel = (title, aside, ...content) =>
  h('section', { class: 'panel', 'aria-label': title }, h('div', { class: 'head' }, h('h3', {}, title), aside), content)

const table = (name, heads, rows) =>
  h('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': `${name}, scrolls sideways` },
    h('table', { 'aria-label': name },
      h('thead', {}, h('tr', {}, heads.map((head) => h('th', { scope: 'col', class: head.startsWith('#') ? 'n' : null }, head.replace('#', ''))))),
      h('tbody', {}, rows)))

// `of` tells apart, for who hears it, buttons that say the same; `sure` is what they would throw away.
const button = (act, text, data = {}, { of = '', sure = null } = {}) =>
  h('button', { type: 'button', class: sure ? 'danger' : null, 'aria-label': of && `${text} ${of}`, 'data-act': act, 'data-body': JSON.stringify(data), 'data-sure': sure }, text)

const facts = (pairs) =>
  h('dl', {}, pairs.filter(([, value]) => value).map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]))

const moment = (iso) => iso && [exact(iso), ' (', when(iso), ')']
const traced = (trace) => trace && h('a', { class: 'mono', href: `#/orders/${trace}` }, trace)

// ---- Parts ----------------------------------------------------------------------------------------------------------

const graveLink = (name) => `#/events/${encodeURIComponent(name)}/dead`
const PLACES = { main: ['Messages in', 'Its messages'], dead: ['Dead letters of', 'Its dead letters'], stuck: ['Not forwarded from', 'What it could not forward'] }
const entityLink = (entity, place) => `#/queues/${encodeURIComponent(entity.name)}/${place}`

function notes(all) {
  const found = []
  const add = (key, kind, word, text, act) => found.push(h('li', { 'data-key': key }, tag(kind, word), h('span', {}, text), act))
  for (const each of all.entities) {
    if (each.dead) add(`d${each.name}`, 'bad', 'dead', `${many(each.dead, 'dead letter')} of ${each.name}`, h('a', { href: entityLink(each, 'dead') }, `Look at those of ${each.name}`))
    if (each.stuck) add(`u${each.name}`, 'bad', 'stuck', `${many(each.stuck, 'message')} that ${each.name} could not forward`, h('a', { href: entityLink(each, 'stuck') }, `Look at what ${each.name} could not forward`))
  }
  for (const { name, state, graves } of all.subscriptions) {
    if (state.status === 'paused') add(`p${name}`, 'warn', 'paused', `${name}, ${many(state.pending, 'event')} waiting`, button('resume', `Resume ${name}`, { subscription: name }))
    if (graves) add(`g${name}`, 'bad', 'given up', `${many(graves, 'event')} of ${name}`, h('a', { href: graveLink(name) }, `Look at those of ${name}`))
    if (state.next_attempt && state.pending) add(`n${name}`, 'warn', 'retrying', [`${name}: next attempt `, when(state.next_attempt)])
  }
  if (!all.functions.answers) add('host', 'bad', 'away', 'The functions host does not answer')
  for (const each of all.functions.known) if (each.calls?.[0]?.ok === false) add(`f${each.name}`, 'bad', 'failed', `${each.name}: ${each.calls[0].error}`)
  const faults = Object.keys(FAULTS).filter((name) => all.conditions[name])
  if (faults.length) add('faults', 'warn', 'faults on', faults.map((name) => `${name} ${all.conditions[name]}`).join(', '), button('conditions', 'Switch faults off', { time_scale: all.conditions.time_scale }))
  return found
}

function overview(all) {
  const pending = sum(all.subscriptions, (each) => each.state.pending)
  const waiting = sum(all.entities, (each) => each.active + each.locked)
  const dead = sum(all.entities, (each) => each.dead + each.stuck)
  const givenUp = sum(all.subscriptions, (each) => each.graves ?? 0)
  const failed = !all.functions.answers ? null : all.functions.known.filter((each) => each.calls?.[0]?.ok === false).length
  const tile = (href, count, text, kind) => h('li', {}, h('a', { href, class: count && kind ? kind : null }, h('strong', {}, count === null ? '?' : count.toLocaleString('en')), h('span', {}, text)))
  const found = notes(all)
  return [
    h('h2', {}, 'Overview'),
    h('ul', { class: 'tiles' },
      tile('#/events', pending, 'events to deliver', 'warn'),
      tile('#/queues', waiting, 'messages waiting'),
      tile('#/queues', dead, 'dead letters', 'bad'),
      tile('#/events', givenUp, 'events given up', 'bad'),
      tile('#/functions', failed, failed === null ? 'functions: unknown' : 'functions failing', 'bad'),
      tile('#/letters', all.letters.length, all.letters.length < 50 ? 'letters' : 'newest letters')),
    panel('What wants a look', null, found.length ? h('ul', { class: 'notes' }, found) : none('Nothing: all is delivered, and nothing was given up.')),
    recent(),
  ]
}

function recent() {
  const orders = known.detail.recent
  const row = (each) => h('tr', { 'data-key': each.trace },
    h('td', {}, when(each.at)),
    h('th', { scope: 'row' }, h('a', { class: 'mono', href: `#/orders/${each.trace}` }, each.order || `trace ${each.trace.slice(0, 12)}…`)),
    h('td', {}, tag(each.status < 300 ? 'good' : 'bad', each.status)))
  const content = !orders ? none('reading …') : orders.length ? table('Recent orders', ['Came in', 'Order', 'Answered'], orders.map(row))
    : none('The logs tell of no order yet. “make order” places one.')
  return panel('Recent orders', null, content)
}

function orders(all, asked) {
  const form = h('form', { class: 'row', 'data-form': 'find', role: 'search' },
    h('label', {}, 'Order or trace id', h('input', { name: 'id', class: 'mono', required: true, autocomplete: 'off', spellcheck: 'false', pattern: '[0-9a-fA-F\\-]{32,36}', title: '32 to 36 hexadecimal digits and dashes' })),
    h('button', { class: 'first' }, 'Show its way'))
  return [h('h2', {}, 'Orders'), h('section', { class: 'panel', 'aria-label': 'Find an order' }, h('div', { class: 'body' }, form)), asked && way(asked), recent()]
}

function way(asked) {
  const found = known.detail.way
  if (!found || found.asked !== asked.toLowerCase()) return panel('Its way', null, none('reading …'))
  if (!found.steps.length) return panel('Its way', null, none('No log tells of it (they go back some 20 MB).'))
  const began = Date.parse(found.steps[0].at)
  const after = (step) => `${((Date.parse(step.at) - began) / 1000).toFixed(3)} s`
  return h('section', { class: 'panel', 'aria-label': 'Its way', 'data-key': asked },
    h('div', { class: 'head' }, h('h3', {}, 'Its way through the system'), h('span', { class: 'mono hint' }, asked)),
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Sequence, scrolls sideways' }, sequence(found.steps, after)),
    h('div', { class: 'body' },
      h('p', { class: 'hint' }, 'Solid: HTTP or a command by Service Bus. Dashed: a fact that Event Grid has brought.'),
      h('ol', { class: 'steps' }, found.steps.map((step) => h('li', {}, h('span', { class: 'hint' }, `${after(step)} `), h('strong', {}, step.who), `: ${step.what} `, h('span', { class: 'hint' }, `(${told(step)}${step.by && `, by ${step.by}`})`))))))
}

const told = (step) => step.name.replace(/^[a-z]+\.[a-z_]+ /, '') // the message's type, without what the log calls the deed

function sequence(steps, after) {
  const there = new Set(steps.flatMap((step) => [step.of, step.who]).filter(Boolean))
  const lanes = [...LANES.filter((lane) => there.has(lane)), ...[...there].filter((lane) => !LANES.includes(lane))]
  const [gap, left, top, rise] = [150, 160, 56, 44]
  const x = (lane) => left + lanes.indexOf(lane) * gap
  const [width, height] = [left + (lanes.length - 1) * gap + 90, top + steps.length * rise + 34]
  const head = (lane) => [
    s('line', { class: 'lane', x1: x(lane), x2: x(lane), y1: 42, y2: height - 12 }),
    s('rect', { class: 'box', x: x(lane) - 66, y: 10, width: 132, height: 32, rx: 6 }),
    s('text', { class: 'name', x: x(lane), y: 31 }, lane),
  ]
  const arrow = (step, index) => {
    const [from, to, y] = [x(step.of || step.who), x(step.who), top + (index + 0.8) * rise]
    const side = Math.sign(to - from) || 1
    const path = from === to ? `M${from} ${y - 12} h28 v12 H${to + 6}` : `M${from} ${y} H${to - side * 6}`
    const tip = from === to ? -1 : side
    return s('g', {},
      s('text', { class: 'at', x: 12, y: y + 4 }, `+${after(step)}`),
      s('path', { class: step.by.startsWith('Event Grid') ? 'arrow facts' : 'arrow', d: path }),
      s('path', { class: 'tip', d: `M${to} ${y} l${-tip * 9} -5 v10 z` }),
      s('text', { class: 'said', x: (from + to) / 2, y: y - 7 }, told(step)))
  }
  return s('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `Sequence of ${many(steps.length, 'step')} between ${lanes.join(', ')}; as text below` },
    lanes.map(head), steps.map(arrow))
}

function events(all, chosen, where) {
  const dead = ({ name, graves }) => {
    if (graves === null) return h('td', { class: 'n' }, h('span', { title: 'Storage does not answer' }, '?'))
    return graves ? h('td', { class: 'n' }, h('a', { href: graveLink(name), 'aria-label': `${many(graves, 'dead letter')} of ${name}` }, tag('bad', graves))) : number(0)
  }
  const row = ({ name, topic, to, types, state, graves }) => h('tr', { 'data-key': name },
    h('th', { scope: 'row' }, h('a', { href: `#/events/${name}` }, name), h('span', { class: 'sub' }, `${topic} → ${to}, ${types.length ? many(types.length, 'type') : 'all types'}`)),
    h('td', {}, state.status === 'active' ? tag('good', 'delivers') : tag('warn', state.status)),
    number(state.pending), number(state.delivered), number(state.retried, 'warn'), dead({ name, graves }),
    h('td', {}, state.last_answer ? [tag(state.last_answer.startsWith('Delivered') ? 'good' : 'warn', state.last_answer), ' ', when(state.last_attempt)] : when(null)),
    h('td', {}, when(state.next_attempt)),
    h('td', {}, state.status === 'paused' ? button('resume', 'Resume', { subscription: name }, { of: name }) : button('pause', 'Pause', { subscription: name }, { of: name })))
  const heads = ['Subscription', 'State', '#Pending', '#Delivered', '#Retried', '#Dead', 'Last attempt', 'Next attempt', 'Do']
  return [
    h('h2', {}, 'Event Grid'),
    panel('Subscriptions', h('span', { class: 'hint' }, `of the topics ${all.topics.join(', ')}`), table('Subscriptions', heads, all.subscriptions.map(row))),
    chosen && (where === 'dead' ? graves(chosen) : waitingEvents(chosen)), publishing(all), weather(all.conditions),
  ]
}

function waitingEvents(name) {
  const found = known.detail.events
  const one = (each) => h('details', { 'data-key': each.id },
    h('summary', {}, h('span', { class: 'grow' }, each.event.type || each.id), each.attempts ? tag('warn', many(each.attempts, 'attempt')) : null, h('span', { class: 'hint' }, 'due ', when(each.due))),
    h('div', {}, facts([['Subject', each.event.subject], ['Event', each.event.id], ['Delivery', each.id], ['Published', moment(each.published)], ['Due', moment(each.due)], ['Trace', traced(each.event.trace)]]), content(each.event)))
  const other = h('a', { href: graveLink(name) }, 'Its dead letters')
  return panel(`Waiting for ${name}`, other, !found ? none('reading …') : found.length ? h('div', { class: 'list' }, found.map(one)) : none('Nothing waits.'))
}

function graves(name) {
  const found = known.detail.graves
  const every = { subscription: name, blob: '' }
  const other = h('a', { href: `#/events/${encodeURIComponent(name)}` }, 'What waits for it')
  const all = found?.length ? [button('bring', 'Send all again', every), button('discard', 'Throw all away', every, { sure: `all dead letters of ${name}` })] : null
  const one = (each, index) => h('details', { 'data-key': `${each.blob}/${index}` },
    h('summary', {}, h('span', { class: 'grow' }, each.event.type || each.event.id || each.blob), tag('bad', each.reason || 'no reason'), when(each.at)),
    h('div', {},
      facts([['Last answer', each.outcome], ['Attempts', each.attempts && String(each.attempts)], ['Last attempt', moment(each.at)],
        ['Event', each.event.id], ['Subject', each.event.subject], ['Blob', each.blob], ['Trace', traced(each.event.trace)]]),
      content(each.event),
      h('div', { class: 'row' }, button('bring', 'Send again', { subscription: name, blob: each.blob }, { of: each.event.id }),
        button('discard', 'Throw away', { subscription: name, blob: each.blob }, { of: each.event.id, sure: `this dead letter of ${name}` }))))
  const more = found?.length >= 20 ? none('The first 20 are shown.') : null
  return panel(`Dead letters of ${name}`, h('span', { class: 'row' }, other, all),
    !found ? none(known.detail.messages?.failed ?? 'reading …') : found.length ? h('div', { class: 'list' }, found.map(one), more) : none('No dead letters.'))
}

function publishing(all) {
  const sample = { specversion: '1.0', id: crypto.randomUUID(), source: '/inspector', type: all.subscriptions[0]?.types[0] ?? 'my.type.v1', subject: '', data: {} }
  return panel('Publish an event', null, h('form', { class: 'body', 'data-form': 'publish', 'data-key': 'publish' },
    h('div', { class: 'fields' }, h('label', {}, 'Topic', h('select', { name: 'topic' }, all.topics.map((topic) => h('option', {}, topic))))),
    h('label', {}, 'CloudEvent, as JSON', h('textarea', { name: 'event', required: true, spellcheck: 'false' }, JSON.stringify(sample, null, 2))),
    h('p', {}), h('button', { class: 'first' }, 'Publish')))
}

function weather(now) {
  const field = (name, says, step = 0.05, most = 1) => h('label', {}, name, h('input', { type: 'number', name, value: now[name], min: 0, max: most, step: step, required: true }), h('span', { class: 'hint' }, says))
  const on = Object.keys(FAULTS).some((name) => now[name])
  return panel('Faults', on ? tag('warn', 'on') : tag('good', 'off'), h('form', { class: 'body', 'data-form': 'conditions', 'data-key': JSON.stringify(now) },
    h('p', { class: 'hint' }, 'The share of deliveries that each hits, from 0 to 1; by chance, from the seed.'),
    h('div', { class: 'fields' }, Object.entries(FAULTS).map(([name, says]) => field(name, says)),
      field('time_scale', '0.01: a hundred times as fast', 'any'), field('seed', 'of chance', 1, 999999999)),
    h('div', { class: 'row' }, h('button', { class: 'first' }, 'Apply'), button('conditions', 'Switch all off', {}))))
}

function queues(all, name, place) {
  const row = (each) => h('tr', { 'data-key': each.name },
    h('th', { scope: 'row' }, h('a', { href: entityLink(each, 'main') }, each.name), h('span', { class: 'sub' }, each.kind, each.status === 'Active' ? '' : `, ${each.status}`)),
    number(each.active), number(each.locked), number(each.scheduled), number(each.deferred),
    each.dead ? h('td', { class: 'n' }, h('a', { href: entityLink(each, 'dead'), 'aria-label': `${many(each.dead, 'dead letter')} of ${each.name}` }, tag('bad', each.dead))) : number(0),
    each.stuck ? h('td', { class: 'n' }, h('a', { href: entityLink(each, 'stuck'), 'aria-label': `${many(each.stuck, 'message')} that ${each.name} could not forward` }, tag('bad', each.stuck))) : number(0),
    h('td', {}, when(each.oldest)))
  const heads = ['Name', '#Active', '#Locked', '#Scheduled', '#Deferred', '#Dead', '#Stuck', 'Oldest']
  return [
    h('h2', {}, 'Service Bus'),
    panel('Queues, topics, subscriptions', null, all.entities.length ? table('Queues, topics, subscriptions', heads, all.entities.map(row)) : none('There is none.')),
    name && messages(name, Object.hasOwn(PLACES, place) ? place : 'main'),
  ]
}

function messages(entity, place) {
  const found = known.detail.messages
  const others = Object.keys(PLACES).filter((each) => each !== place).map((each) => h('a', { href: entityLink({ name: entity }, each) }, PLACES[each][1]))
  const list = found?.list
  const purge = list?.length ? button('purge', 'Throw all away', { entity, place }, { sure: `all ${place === 'main' ? 'messages' : 'dead letters'} of ${entity}` }) : null
  const more = list?.length >= 50 ? none('The first 50 are shown.') : null
  return panel(`${PLACES[place][0]} ${entity}`, h('span', { class: 'row' }, others, purge), !list ? none(found?.failed ?? 'reading …') : list.length ? h('div', { class: 'list' }, list.map((each) => message(each, entity, place)), more) : none(place === 'main' ? 'It is empty.' : 'No dead letters.'))
}

function message(each, entity, place) {
  const kind = { active: 'plain', locked: 'good', scheduled: 'plain', deferred: 'warn' }[each.state] ?? 'plain'
  return h('details', { 'data-key': `${entity}/${place}/${each.number}` },
    h('summary', {}, h('span', { class: 'hint' }, `#${each.number}`), h('span', { class: 'grow' }, each.subject || typeOf(each.body) || each.id || 'message'),
      place === 'main' ? tag(kind, each.state) : tag('bad', each.reason || 'no reason'), when(each.enqueued)),
    h('div', {},
      facts([['Why', each.description], ['Id', each.id], ['Session', each.session], ['Content type', each.content_type],
        [each.state === 'scheduled' ? 'Due' : 'Enqueued', moment(each.enqueued)], ['Locked until', moment(each.locked_until)], ['Expires', moment(each.expires)],
        ['Handed out', each.deliveries ? many(each.deliveries, 'time') : ''], ['Trace', traced(each.trace)], ['Size', many(each.bytes, 'byte')],
        ...Object.entries(each.properties)]),
      content(each),
      place === 'main' ? null : button('resend', 'Send again', { entity, number: each.number }, { of: `#${each.number}` })))
}

function typeOf(body) {
  try {
    return String(JSON.parse(body).type ?? '')
  } catch {
    return ''
  }
}

const content = (each) => [h('pre', { tabindex: 0, role: 'region', 'aria-label': 'Body' }, each.cut ? each.body : pretty(each.body)), each.cut && h('p', { class: 'hint' }, 'There is more of it than is shown.')]

function functions(all) {
  const call = (each) => h('li', {}, h('details', { 'data-key': each.at },
    h('summary', {}, each.ok ? tag('good', `${each.milliseconds} ms`) : tag('bad', 'failed'), when(each.at)),
    h('div', {}, facts([['At', exact(each.at)], ['Took', `${each.milliseconds} ms`], ['Error', each.error], ['Trace', traced(each.trace)]]))))
  const row = (each) => h('tr', { 'data-key': each.name }, h('th', { scope: 'row' }, each.name, h('span', { class: 'sub' }, each.trigger)),
    h('td', {}, each.calls?.length ? h('ul', { class: 'calls' }, each.calls.map(call)) : h('span', { class: 'hint' }, each.calls ? 'not called since the host has started' : 'unknown: the host does not tell')))
  const aside = all.functions.answers ? tag('good', 'host answers') : tag('bad', 'host is away')
  return [h('h2', {}, 'Functions'), panel('Functions and their last calls', aside, all.functions.known.length ? table('Functions', ['Function', 'Last calls'], all.functions.known.map(row)) : none(all.functions.answers ? 'There is none.' : 'Unknown: the functions host does not answer.'))]
}

function letters(all, chosen) {
  const row = (each) => h('tr', { 'data-key': each.id }, h('td', {}, when(each.received)),
    h('th', { scope: 'row' }, h('a', { href: `#/letters/${each.id}` }, each.subject || '(no subject)'), h('span', { class: 'sub' }, each.to.join(', '))), number(each.repeats))
  const one = known.detail.letter
  return [
    h('h2', {}, 'Letters'),
    chosen && panel(one?.subject ?? 'Letter', null, one ? h('div', { class: 'body' }, facts([['To', one.to.join(', ')], ['From', one.from], ['Received', moment(one.received)], ['Message id', one.message_id]]), h('pre', { tabindex: 0, role: 'region', 'aria-label': 'Text' }, one.text)) : none('reading …')),
    panel('The newest', h('span', { class: 'hint' }, 'Nothing was sent to anyone.'), all.letters.length ? table('Letters', ['Received', 'Letter', '#Repeats'], all.letters.map(row)) : none('No letter yet.')),
  ]
}

function secrets(all) {
  const row = (each) => h('tr', { 'data-key': each.name }, h('th', { scope: 'row', class: 'mono' }, each.name), h('td', {}, when(each.changed)))
  return [h('h2', {}, 'Secrets'), panel('In Key Vault', h('span', { class: 'hint' }, 'What they say is not shown.'), all.secrets.length ? table('Secrets', ['Name', 'Changed'], all.secrets.map(row)) : none('There is none.'))]
}

const VIEWS = { overview, orders, events, queues, functions, letters, secrets }
const LOADS = {
  overview: async () => ({ recent: await ask('/api/orders') }),
  orders: async (id) => ({ recent: await ask('/api/orders'), way: id ? await ask(`/api/orders/${encodeURIComponent(id)}`) : null }),
  events: async (name, where) => ({ [where === 'dead' ? 'graves' : 'events']: name ? await ask(`/api/${where === 'dead' ? 'graves' : 'events'}?subscription=${encodeURIComponent(name)}`) : null }),
  queues: async (entity, place) => ({ messages: entity ? { list: await ask(`/api/messages?entity=${encodeURIComponent(entity)}&place=${place}`) } : null }),
  letters: async (id) => ({ letter: id ? await ask(`/api/letters/${encodeURIComponent(id)}`) : null }),
}

// ---- Asking and drawing ---------------------------------------------------------------------------------------------

function place() {
  const [view, ...rest] = location.hash.replace(/^#\//, '').split('/').map(decodeURIComponent)
  return Object.hasOwn(VIEWS, view) ? [view, ...rest] : ['overview']
}

async function ask(path, options = {}) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(options.method ? 30000 : 10000), cache: 'no-store', ...options })
  if (answer.status === 304) return null
  const content = await answer.json()
  if (!answer.ok) throw Object.assign(new Error(content.detail ?? answer.statusText), { status: answer.status })
  known.answered = answer
  return content
}

async function look() {
  const fresh = await ask('/api/overview', { headers: { 'If-None-Match': known.etag } })
  if (fresh) {
    known.overview = fresh
    known.etag = known.answered.headers.get('ETag')
    announceDead(fresh)
  }
  const [view, ...rest] = place()
  const asked = location.hash
  let detail = {}
  try {
    detail = (await LOADS[view]?.(...rest)) ?? {}
  } catch (error) {
    if (!error.status) throw error
    detail = { messages: { failed: error.message }, way: rest[0] && { asked: rest[0].toLowerCase(), steps: [] } }
  }
  if (asked === location.hash) known.detail = detail
}

function draw() {
  const [view, ...rest] = place()
  const fresh = h('main', {}, known.overview ? VIEWS[view](known.overview, ...rest) : [h('h2', {}, 'Not reached'), none('The local cloud does not answer. “make run” starts it.')])
  morphChildren(main, fresh)
  main.setAttribute('aria-busy', String(!known.overview))
  document.title = `${main.querySelector('h2').textContent} · Local cloud`
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash === `#/${view}`) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  if (known.overview) {
    count('#/queues', sum(known.overview.entities, (each) => each.dead + each.stuck), 'dead letters')
    count('#/events', sum(known.overview.subscriptions, (each) => each.graves ?? 0), 'dead letters')
  }
}

function count(hash, dead, what) {
  const link = document.querySelector(`nav a[href="${hash}"]`)
  const shown = link.querySelector('.count')
  if (!dead) shown?.remove()
  else if (shown) shown.firstChild.data = String(dead)
  else link.append(h('span', { class: 'count bad', 'aria-description': what }, String(dead)))
}

function announceDead(fresh) {
  const dead = sum(fresh.entities, (each) => each.dead + each.stuck) + sum(fresh.subscriptions, (each) => each.state.dead)
  if (known.dead !== null && dead > known.dead && Date.now() - known.announced > QUIET_MS) {
    known.announced = Date.now()
    say(`${many(dead - known.dead, 'new dead letter')}.`)
  }
  known.dead = dead
}

function live(state, text) {
  const shown = byId('live')
  if (shown.dataset.live !== state) shown.dataset.live = state
  if (shown.textContent !== text) shown.textContent = text
}

let saidTimer = 0
function say(text) {
  byId('said').textContent = text
  clearTimeout(saidTimer)
  saidTimer = setTimeout(() => byId('said').replaceChildren(), SAID_MS)
}

let timer = 0, looking = null
async function refresh() {
  clearTimeout(timer)
  const mine = (looking = look())
  try {
    await mine
    known.failures = 0
    live('yes', known.held ? 'held still' : 'live')
  } catch {
    known.failures += 1
    live('no', 'not reached, trying again')
  }
  if (looking !== mine) return
  draw()
  const pause = Math.min(LONGEST_PAUSE_MS, LOOK_MS * 2 ** Math.min(known.failures, 3))
  if (!known.held && !document.hidden) timer = setTimeout(refresh, pause)
}

// ---- Doing ----------------------------------------------------------------------------------------------------------

async function act(name, body) {
  const headers = { 'Content-Type': 'application/json', 'X-Inspector-Token': document.querySelector('meta[name=token]').content }
  try {
    say((await ask(`/api/${name}`, { method: 'POST', headers, body })).said)
    return true
  } catch (error) {
    say(`Not done: ${error.message}`)
    return false
  } finally {
    await refresh()
  }
}

function sure(text) {
  const dialog = byId('ask')
  byId('ask-text').textContent = text
  dialog.returnValue = 'no'
  dialog.showModal()
  return new Promise((answer) => dialog.addEventListener('close', () => answer(dialog.returnValue === 'yes'), { once: true }))
}

document.addEventListener('click', async (event) => {
  const pressed = event.target.closest('button[data-act]')
  if (!pressed) return
  const { act: name, body, sure: what } = pressed.dataset
  if (what && !(await sure(`Throw away ${what}? That can't be undone.`))) return
  pressed.disabled = true
  await act(name, body)
  pressed.disabled = false
  if (!pressed.isConnected) main.focus()
})

const FORMS = {
  find: (said) => {
    location.hash = `#/orders/${said.get('id').trim().toLowerCase()}`
  },
  conditions: (said) => act('conditions', JSON.stringify(Object.fromEntries([...said].map(([name, value]) => [name, Number(value)])))),
  publish: async (said, form) => {
    const text = said.get('event')
    if (await act('publish', `{"topic":${JSON.stringify(said.get('topic'))},"event":${text}}`)) {
      form.elements.event.value = text.replace(/("id"\s*:\s*)"[^"]*"/, `$1"${crypto.randomUUID()}"`)
    }
  },
}

document.addEventListener('submit', (event) => {
  const form = event.target.closest('form[data-form]')
  if (!form) return
  event.preventDefault()
  FORMS[form.dataset.form](new FormData(form), form)
})

byId('hold').addEventListener('click', ({ currentTarget }) => {
  known.held = !known.held
  currentTarget.setAttribute('aria-pressed', String(known.held))
  refresh()
})

addEventListener('hashchange', async () => {
  known.detail = {}
  if (known.overview) draw()
  main.focus()
  scrollTo(0, 0)
  await refresh()
})
document.addEventListener('visibilitychange', () => !document.hidden && !known.held && refresh())
setInterval(() => {
  for (const time of document.querySelectorAll('time')) {
    const text = relative(time.dateTime)
    if (time.textContent !== text) time.textContent = text
  }
}, 1000)
refresh()
