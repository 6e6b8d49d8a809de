/** What routers and transports lack for a delivery: a file, a command, a transport for what an address turns out to be. */
import { nearest, type Report, type Span } from '../../../base/diagnostic.ts'
import { Expandable } from '../../../base/expandable.ts'
import type { Configuration, Instance, RouterInstance } from '../../../language/config/configuration.ts'
import type { Check } from './subject.ts'

export const deliveries: Check = {
  name: 'deliveries',
  doc: 'Transports without a place to deliver to, DKIM settings that sign nothing, hosts with commas between them.',
  run({ configuration }, report) {
    for (const router of configuration.routers) {
      redirected(router, report)
      incomplete(router, configuration, report)
      hostList(router, 'fallback_hosts', report)
      headerNames(router, report)
      required(router, report)
    }
    for (const transport of configuration.transports.values()) {
      unsigned(transport, report)
      hostList(transport, 'hosts', report)
      hostList(transport, 'fallback_hosts', report)
      folder(transport, report)
      bar(transport, report)
      headerNames(transport, report)
    }
  },
}

function settingOf({ settings }: Instance<object>, name: string): unknown {
  return Object.getOwnPropertyDescriptor(settings, name)?.value
}

function textOf(value: unknown): string | undefined {
  return value instanceof Expandable ? value.text : typeof value === 'string' ? value : undefined
}

/** `data = /var/mail/x` and `data = |command` want a transport of their own. */
function redirected(router: RouterInstance, report: Report): void {
  const data = settingOf(router, 'data')
  if (router.driver !== 'redirect' || !(data instanceof Expandable)) return
  const text = data.text.trim()
  const word = /^:(\w+):/.exec(text)?.[1]
  if (word !== undefined && !specials.includes(word)) unknownSpecial(word, data, report)
  const option = text.startsWith('|')
    ? 'pipe_transport'
    : !text.startsWith('/')
      ? undefined
      : text.endsWith('/')
        ? 'directory_transport'
        : 'file_transport'
  if (option === undefined || router.setAt.has(option)) return
  report({
    code: 'redirect-transport',
    severity: 'error',
    message: `${option} unset in ${router.name} router`,
    at: data.span(),
    help: `add "${option} = NAME" with a transport that delivers there`,
  })
}

const specials = ['blackhole', 'defer', 'fail', 'include', 'unknown']

/** `:fial: no such user`. */
function unknownSpecial(word: string, data: Expandable, report: Report): void {
  const near = nearest(word, specials)
  const start = data.text.indexOf(word)
  report({
    code: 'redirect-special',
    severity: 'error',
    message: `":${word}:" is no special item of redirect data: it is taken for an address`,
    at: data.span(start, start + word.length),
    help:
      near === undefined
        ? `known are ${specials.map((each) => `:${each}:`).join(', ')}`
        : `did you mean ":${near}:"?`,
  })
}

/** Without file or command a transport serves addresses that are one; a router like accept makes none. */
function incomplete(router: RouterInstance, { transports }: Configuration, report: Report): void {
  const at = router.setAt.get('transport')
  const transport = transports.get(router.settings.transport?.text ?? '')
  if (transport === undefined || at === undefined || router.driver === 'redirect') return
  const lacks = (...options: string[]): boolean => !options.some((option) => transport.setAt.has(option))
  const what =
    transport.driver === 'appendfile' && lacks('file', 'directory')
      ? '"file" or "directory"'
      : transport.driver === 'pipe' && lacks('command')
        ? '"command"'
        : undefined
  if (what === undefined) return
  report({
    code: 'transport-incomplete',
    severity: 'error',
    message: `mandatory ${what} option missing from ${transport.name} transport`,
    at: transport.at,
    help: `without it the transport delivers to what a redirect router has made a file or a pipe; router ${router.name} sends it addresses`,
    also: [{ at, says: 'it is used here' }],
  })
}

function unsigned(transport: Instance<object>, report: Report): void {
  const at = transport.setAt.get('dkim_domain')
  const missing = ['dkim_selector', 'dkim_private_key'].filter((option) => !transport.setAt.has(option))
  if (at === undefined || missing.length === 0) return
  report({
    code: 'dkim-incomplete',
    severity: 'warning',
    message: `nothing is signed by transport ${transport.name}: ${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not set`,
    at,
    help: 'a signature needs dkim_domain, dkim_selector and dkim_private_key',
  })
}

/** A Maildir is a folder, and a folder is no Maildir unless that is said. */
function folder(transport: Instance<object>, report: Report): void {
  const [file, directory] = [settingOf(transport, 'file'), settingOf(transport, 'directory')]
  const formats = ['maildir_format', 'mailstore_format']
  const tell = (message: string, at: Span, help: string): void =>
    report({ code: 'transport-folder', severity: 'warning', message, at, help })
  if (file instanceof Expandable && (file.text.endsWith('/') || transport.setAt.has('maildir_format')))
    tell(
      `"file" is one file for all messages, ${file.text.endsWith('/') ? 'and this is a folder' : 'and maildir_format wants a folder'}`,
      file.span(),
      'write directory = ... in place of file = ...',
    )
  if (
    directory instanceof Expandable &&
    /maildir\/?$/i.test(directory.text) &&
    !formats.some((option) => transport.setAt.has(option))
  )
    tell(
      'without maildir_format each message becomes a file of its own in this folder, which no reader of Maildirs looks for',
      directory.span(),
      'add maildir_format',
    )
}

/** `command = |/usr/bin/vacation`. */
function bar({ driver, settings }: Instance<object>, report: Report): void {
  const command: unknown = Object.getOwnPropertyDescriptor(settings, 'command')?.value
  if (driver !== 'pipe' || !(command instanceof Expandable) || !/^\s*\|/.test(command.text)) return
  const start = command.text.indexOf('|')
  report({
    code: 'transport-command',
    severity: 'error',
    message: `"${command.text.trim().split(/\s/, 1)[0] ?? ''}" is no command: a bar stands before it`,
    at: command.span(start, start + 1),
    help: 'remove the bar; it makes a pipe of an item of redirect data',
  })
}

/** Names of headers, separated by colons. */
function headerNames(instance: Instance<object>, report: Report): void {
  const value = settingOf(instance, 'headers_remove')
  for (const each of Array.isArray(value) ? value : []) {
    if (!(each instanceof Expandable) || !/^\s*[\w-]+(?:\s*,\s*[\w-]+)+\s*$/.test(each.text)) continue
    const text = each.text.trim()
    report({
      code: 'list-commas',
      severity: 'warning',
      message: `"${text}" is one name: the names of headers are separated by colons`,
      at: each.span(),
      help: `write "${text.split(/\s*,\s*/).join(' : ')}"`,
    })
  }
}

/** Each item is one file. */
function required(router: RouterInstance, report: Report): void {
  const value = settingOf(router, 'require_files')
  if (!(value instanceof Expandable)) return
  const found = /[^\s:,]*\/[^\s:,]*(?:\s*,\s*[^\s:,]*\/[^\s:,]*)+/.exec(value.text)
  if (found === null || /[{}]/.test(value.text)) return
  report({
    code: 'list-commas',
    severity: 'warning',
    message: `"${found[0]}" is the name of one file: the files are separated by colons`,
    at: value.span(found.index, found.index + found[0].length),
    help: `write "${found[0].split(/\s*,\s*/).join(' : ')}"`,
  })
}

function hostList(instance: Instance<object>, option: string, report: Report): void {
  const value = settingOf(instance, option)
  const at: Span | undefined = value instanceof Expandable ? value.span() : instance.setAt.get(option)
  const text = textOf(value)?.trim() ?? ''
  if (!/^[\w.-]+(?:\s*,\s*[\w.-]+)+$/.test(text)) return
  report({
    code: 'list-commas',
    severity: 'warning',
    message: `"${text}" names one host: several hosts are separated by colons`,
    at,
    help: `write "${text.split(/\s*,\s*/).join(' : ')}"`,
  })
}
