/**
 * An explanation as one page that needs nothing from the network: what decided stands first, every step unfolds below it.
 * What a message or a name server said is text here and never markup.
 */
import type { TraceNode } from '../../../server/trace.ts'
import { type Decision, decisions, statementText } from './deciding.ts'
import { fitting } from './fitting.ts'
import { script, style } from './page-parts.ts'
import { isWorthTelling, type Outcome, outcomes, place, type Source } from './render-text.ts'
import { linesAround } from './source-lines.ts'

/** The page stays below 300 kB; this leaves room for its head. */
const mostBytes = 280_000
const mostDecisions = 100

export interface PageEntry {
  readonly title: string
  readonly root: TraceNode
}

/** @param entries one session, or a session and the deliveries of its message */
export function renderPage(title: string, entries: readonly PageEntry[], source: Source): string {
  const share = Math.floor((mostBytes * 0.6) / Math.max(1, entries.length))
  const parts = entries.map(({ title: name, root }) => {
    const head = entries.length > 1 ? `<h2>${escape(name)}</h2>\n` : ''
    const cut = fitting(root, share, (node) => Buffer.byteLength(steps(node)))
    return `${head}${summary(root, source, Math.floor((mostBytes * 0.35) / entries.length))}
<section aria-label="Every step"><div class="bar"><h3>Every step</h3><span class="buttons"><button type="button" data-open="1">Unfold all</button><button type="button" data-open="0">Fold all</button></span></div>
${steps(cut)}</section>`
  })
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">
<title>${escape(title)}</title><style>${style}</style></head>
<body><main><header><p class="brand">postern explain</p><h1>${escape(title)}</h1></header>
${parts.join('\n')}</main><script>${script}</script></body></html>
`
}

function summary(root: TraceNode, source: Source, budget: number): string {
  const all = decisions(root)
  const refused = all.filter(({ outcome }) => outcome !== 'accepted')
  const accepted = all.filter(isWorthTelling)
  const cards: string[] = []
  let left = budget
  for (const each of refused.slice(0, mostDecisions)) {
    const card = decisionCard(each, source)
    if (card.length > left) break
    left -= card.length
    cards.push(card)
  }
  const more = refused.length - cards.length
  if (more > 0) cards.push(`<p class="note">${more} more refusals stand among the steps below.</p>`)
  if (refused.length === 0 && all.length > 0) cards.push('<p class="good banner">Nothing was refused.</p>')
  const lines = [
    ...accepted.slice(0, mostDecisions).map(acceptedLine),
    ...outcomes(root).slice(0, mostDecisions).map(outcomeLine),
  ]
  const list = lines.length === 0 ? '' : `<ul class="accepted">${lines.join('\n')}</ul>`
  return `<section aria-label="What decided">${cards.join('\n')}${list}</section>`
}

function decisionCard(decision: Decision, source: Source): string {
  const { command, statement, calledFrom, conditions, inVain, routers, evidence, outcome } = decision
  const answer = `${short(command.result ?? '', 600)}${outcome === 'discarded' ? '\n(and throws the message away)' : ''}`
  const body =
    statement === undefined
      ? `<p>No ACL statement decided this.</p><ul class="seen">${evidence.map((each) => `<li><b>${each.kind}</b> ${text(each.what)} ${placeTag(each)}</li>`).join('')}</ul>`
      : `<p class="by">decided by <code class="statement">${text(short(statementText(statement)))}</code> in ${placeTag(statement)}</p>` +
        calledFrom
          .map(
            (outer) =>
              `<p class="by">called by <code>${text(short(statementText(outer)))}</code> in ${placeTag(outer)}</p>`,
          )
          .join('') +
        lines(statement, source) +
        `<table class="conditions"><caption>What its conditions saw</caption>${conditions
          .map(
            ({ node, saw }) =>
              `<tr class="${tone(node)}"><th scope="row"><code>${text(short(node.what))}</code>${saw.map((each) => `<div class="saw">${text(short(each))}</div>`).join('')}</th><td>${text(short(node.result ?? ''))}</td></tr>`,
          )
          .join('')}</table>` +
        inVainList(inVain)
  const asked =
    routers.length === 0
      ? ''
      : `<p class="by">routers that were asked</p><ul class="seen">${routers.map((each) => `<li>${text(short(each.result ?? each.what))} ${placeTag(each)}</li>`).join('')}</ul>`
  return `<article class="decision"><h3>${text(short(command.what))}</h3><pre class="answer bad">${text(answer)}</pre>${body}${asked}</article>`
}

function acceptedLine({ command, statement }: Decision): string {
  const by =
    statement === undefined
      ? ''
      : ` <span class="quiet">by</span> <code>${text(short(statementText(statement), 200))}</code> ${placeTag(statement)}`
  return `<li><span class="good">${text(short(command.what, 200))}</span> <span class="quiet">${text(short(command.result ?? '', 200))}</span>${by}</li>`
}

function outcomeLine({ title, result }: Outcome): string {
  const wrong = /(?:^|: )(?:deferred|failed|fail|defer|freeze|error):/m.test(result)
  return `<li${wrong ? ' class="bad"' : ''}><b>${text(short(title, 300))}</b><pre>${text(short(result, 1000))}</pre></li>`
}

function inVainList(inVain: Decision['inVain']): string {
  if (inVain.length === 0) return ''
  const items = inVain.map(
    ({ statement, unmet: { node, saw } }) =>
      `<li><code>${text(short(statementText(statement)))}</code> ${placeTag(statement)}<br><code>${text(short(node.what))}</code> ${text(short(node.result ?? ''))}${saw.map((each) => `<div class="saw">${text(short(each))}</div>`).join('')}</li>`,
  )
  return `<p class="by">Before it, these did not accept:</p><ul class="seen">${items.join('')}</ul>`
}

function lines({ file, line }: TraceNode, source: Source): string {
  if (file === undefined || line === undefined) return ''
  const shown = linesAround(source(file) ?? [], line)
  if (shown.length === 0) return ''
  return `<pre class="source">${shown
    .map(
      ({ number, text: content, decides }) =>
        `<span class="${decides ? 'here' : 'near'}"><i>${number}</i>${text(content)}</span>`,
    )
    .join('')}</pre>`
}

/** Every step unfolds without a script. */
function steps(root: TraceNode): string {
  return `<div class="steps">${(root.children ?? []).map(step).join('')}${leftOut(root)}</div>`
}

function step(node: TraceNode): string {
  const head = `<span class="kind">${node.kind}</span> <span class="what">${text(node.kind === 'statement' ? short(statementText(node), 120) : node.what)}</span>${
    node.result === undefined || node.result === '' ? '' : ` <span class="result">${text(node.result)}</span>`
  }${took(node)}${node.file === undefined ? '' : ` ${placeTag(node)}`}`
  const inner = `${(node.children ?? []).map(step).join('')}${leftOut(node)}`
  return inner === ''
    ? `<div class="step ${tone(node)}">${head}</div>`
    : `<details class="step ${tone(node)}"><summary>${head}</summary>${inner}</details>`
}

function leftOut({ leftOut: count }: TraceNode): string {
  return count === undefined ? '' : `<div class="note">${count} more steps are not shown</div>`
}

function took({ took: ms }: TraceNode): string {
  return ms === undefined || ms < 1 ? '' : ` <span class="took">${ms.toFixed(0)} ms</span>`
}

function placeTag(node: TraceNode): string {
  return `<span class="place">${text(place(node))}</span>`
}

/** Colours for what refuses and what accepts; the words say it too. */
function tone({ kind, result = '' }: TraceNode): string {
  if (kind === 'command' || kind === 'sent')
    return /^(?:[45]|refused)/.test(result) ? 'bad' : /^(?:2|accepted)/.test(result) ? 'good' : ''
  if (kind === 'statement' || kind === 'acl') {
    if (/^(?:deny|drop|defer|error)/.test(result)) return 'bad'
    return /^(?:accept|discard)/.test(result) ? 'good' : ''
  }
  if (kind === 'condition') return result.startsWith('true') ? 'yes' : result.startsWith('done') ? '' : 'no'
  return /^(?:failed|deferred|defer|fail)\b/.test(result) ? 'bad' : ''
}

function short(content: string, most: number = 400): string {
  return content.length > most ? `${content.slice(0, most)}…` : content
}

/** Text in a page: markup, control characters and marks that turn the direction of writing lose their power. */
function text(content: string): string {
  return escape(content).replaceAll(
    /[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (each) => `<s>\\x${each.charCodeAt(0).toString(16).padStart(2, '0')}</s>`,
  )
}

function escape(content: string): string {
  return content.replaceAll(/[&<>"']/g, (each) => `&#${each.charCodeAt(0)};`)
}
