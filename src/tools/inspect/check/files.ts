/** Files that the configuration names and that are not there, or not open to the run-time user. */
import type { Span } from '../../../base/diagnostic.ts'
import type { Expandable } from '../../../base/expandable.ts'
import { textOf } from '../../../base/text.ts'
import { createListMatcher } from '../../../language/lists/index.ts'
import { parseLookupType } from '../../../language/lookups/parse-type.ts'
import { listsOf } from './lists-of.ts'
import type { Check, OwnedText, Subject } from './subject.ts'
import { asks, constantText, walk } from './walk.ts'

/** Main options whose value is the name of a file. */
const mainFiles = [
  'tls_certificate',
  'tls_privatekey',
  'tls_crl',
  'tls_dhparam',
  'system_filter',
  'bounce_message_file',
  'warn_message_file',
  'dmarc_tld_file',
]
/** Options of transports, where they begin with a slash. */
const transportFiles = new Set(['dkim_private_key', 'tls_certificate', 'tls_crl', 'tls_privatekey'])
const notPaths = new Set(['system', 'system,cache', 'default', 'none'])

export const missingFiles: Check = {
  name: 'missing-files',
  doc: 'Files that are named and cannot be read.',
  run(subject, report) {
    const told = new Set<string>()
    const expected = askedFor(subject)
    const judge = (path: string, at: Span, wanted: 'file' | 'folder'): void => {
      if (!path.startsWith('/') || told.has(path)) return
      const there = subject.host.look(path)
      if (there === 'closed') {
        told.add(path)
        report({
          code: 'file-closed',
          severity: 'error',
          message: `${path} cannot be read by the run-time user`,
          at,
          help: 'give its group the right to read it, and to enter the folders above it',
        })
      } else if (there === undefined && expected.has(path)) {
        // Another place of the configuration asks whether it exists.
        told.add(path)
      } else if (there === undefined || (wanted === 'folder') !== (there === 'folder')) {
        told.add(path)
        report({
          code: 'file-missing',
          severity: 'error',
          message: there === undefined ? `there is no file ${path}` : `${path} is not a ${wanted}`,
          at,
        })
      }
    }
    for (const owned of subject.texts) {
      mainFile(owned, subject, judge)
      transportFile(owned, judge)
      // Whoever asks whether a file exists knows that it may not.
      if (owned.tree !== undefined && !asks(owned.tree, 'exists')) inTree(owned, judge)
      if (holdLists.has(owned.owner.in)) inList(owned.text, judge)
    }
    const { retry, rewrite } = subject.configuration
    for (const { pattern } of [...retry, ...rewrite]) inList(pattern, judge)
    plainItems(subject, judge)
  },
}

type Judge = (path: string, at: Span, wanted: 'file' | 'folder') => void

function mainFile({ owner, text, tree }: OwnedText, { configuration }: Subject, judge: Judge): void {
  if (owner.in !== 'main' || !mainFiles.includes(owner.option) || !configuration.mainSetAt.has(owner.option))
    return
  const value = constantText(tree)
  if (value === undefined) return
  for (const each of createListMatcher().splitList(value)) {
    const path = textOf(each).trim()
    if (!notPaths.has(path)) judge(path, text.span(), 'file')
  }
}

function transportFile({ owner, text, tree }: OwnedText, judge: Judge): void {
  if (owner.in !== 'transport' || !transportFiles.has(owner.option)) return
  const path = constantText(tree)?.trim() ?? ''
  if (path.startsWith('/')) judge(path, text.span(), 'file')
}

/** Files that the configuration asks for with `exists`: they may be missing. */
function askedFor({ texts }: Subject): ReadonlySet<string> {
  const paths = new Set<string>()
  for (const { tree } of texts)
    if (tree !== undefined)
      walk(tree, {
        condition({ name, parts }) {
          const path = name === 'exists' ? constantText(parts.arguments[0]) : undefined
          if (path !== undefined) paths.add(path.trim())
        },
      })
  return paths
}

function inTree({ text, tree }: OwnedText, judge: Judge): void {
  if (tree === undefined) return
  walk(tree, {
    node(node) {
      if (node.kind !== 'item' || node.name !== 'lookup') return
      const type = parseLookupType(node.parts.word ?? '')
      const file = node.parts.arguments[1]
      if ('error' in type || type.style !== 'single' || file === undefined) return
      const path = constantText(file)
      if (path !== undefined)
        judge(path.trim(), text.span(file.start, file.end), type.name === 'dsearch' ? 'folder' : 'file')
    },
  })
}

/** An item that is the name of a file, whose lines are items. Source: Exim manual, "File names in lists". */
function plainItems(subject: Subject, judge: Judge): void {
  for (const { kind, text } of listsOf(subject)) {
    if (kind === 'string' || /[$\\]/.test(text.text)) continue
    let from = 0
    for (const item of createListMatcher().splitList(text.text)) {
      const path = textOf(item).replace(/^\s*!?\s*/, '')
      const start = text.text.indexOf(path, from)
      if (start < 0 || path === '') continue
      from = start + path.length
      if (/^\/[^\s;,]+$/.test(path)) judge(path, text.span(start, from), 'file')
    }
  }
}

const holdLists = new Set<OwnedText['owner']['in']>(['list', 'acl', 'router', 'main'])

/** `lsearch;/etc/file` in a constant list, or as the pattern of a rule. */
function inList(text: Expandable, judge: Judge): void {
  for (const found of text.text.matchAll(
    /(?:^|[\s:;!<@])(?:net\d*-)?(?:partial\d*-(?:\([^)]*\))?)?(\w+)(?:,[\w=]+)?[*@]*;\s*(\/[^\s:;$]+)(?=\s|:|$)/g,
  )) {
    const type = parseLookupType(found[1] ?? '')
    const path = found[2] ?? ''
    if ('error' in type || type.style !== 'single') continue
    const start = found.index + found[0].lastIndexOf(path)
    judge(path, text.span(start, start + path.length), type.name === 'dsearch' ? 'folder' : 'file')
  }
}
