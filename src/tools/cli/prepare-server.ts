/** From a command line to a server whose configuration is read and whose caller's rights are known. */
import { splitHostPort } from './host-port.ts'
import { isDebugged, readDebugSelector } from '../../base/debug-selector.ts'
import { locate, type Diagnostic } from '../../base/diagnostic.ts'
import { renderDiagnostic } from '../../base/diagnostic-frame.ts'
import { parseInterval } from '../../base/interval.ts'
import { isMessageId } from '../../base/message-id.ts'
import { encodeUtf8, type ByteString } from '../../base/text.ts'
import { loadConfiguration } from '../../server/configuration-file.ts'
import { type Debug, lineDrawing } from '../../server/debug-ports.ts'
import { openServer } from '../../server/open-server.ts'
import type { Server } from '../../server/server.ts'
import type { FromWorker } from '../../server/privileged/parent.ts'
import type { ProcessState } from '../../server/process-state.ts'
import { newMessage } from '../../flow/receive/message-facts.ts'
import { type Caller, callerOf, type CallerRights, rightsOf } from './caller.ts'
import type { ServerCall } from './call.ts'
import { dropMessage, folderWithoutConfiguration } from './drop-message.ts'
import type { FlagRow, ModeName } from './flag.ts'
import { flagTable } from './flag-table.ts'
import { has, type Invocation, valueOf } from './parse.ts'
import { giveUpPrivilege, mustGiveUpPrivilege, trustedConfigurations } from './privilege.ts'
import type { Terminal } from './terminal.ts'

export type Prepared =
  | { readonly is: 'ready'; readonly call: Omit<ServerCall, 'invocation' | 'terminal'> }
  | { readonly is: 'ended'; readonly exitCode: number }

/** Modes whose messages and deliveries `/metrics` of the daemon counts. */
const countedModes: ReadonlySet<ModeName> = new Set([
  'accept-message',
  'batch-smtp',
  'message-action',
  'queue-run',
  'smtp-on-stdin',
])

/** Modes that use no driver and no ACL: they start faster without them. */
const settingsOnly: ReadonlySet<ModeName> = new Set(['count-queue', 'expand', 'queue-list'])

const ended: Prepared = { is: 'ended', exitCode: 1 }

export async function prepareServer(
  invocation: Invocation,
  terminal: Terminal,
  programPath: string,
  state: ProcessState,
): Promise<Prepared> {
  const complain = (message: string): Prepared => {
    if (tellParent(message)) return ended
    terminal.err(`${invocation.calledAs}: ${message}\n`)
    return ended
  }
  const malformed = malformedValue(invocation)
  if (malformed !== undefined) {
    if (tellParent(malformed)) return ended
    terminal.err(`${malformed}\n`)
    return ended
  }
  const defines = macrosOf(invocation)
  if (typeof defines === 'string') return complain(defines)
  const watching = watched(invocation, terminal)
  if ('wrong' in watching) return complain(watching.wrong)
  if (watching.debug !== undefined) {
    const { debug } = watching
    state.tell((line) => debug('process_info', line))
  }
  const files = configurationFiles(invocation)
  const realUid = process.getuid?.() ?? 0
  const effectiveUid = process.geteuid?.() ?? 0
  const borrowed = realUid !== effectiveUid
  if (borrowed) {
    const question = {
      realUid,
      effectiveUid,
      configurationFiles: files ?? [],
      macros: [...defines],
      trustedConfigurations: trustedConfigurations(),
    }
    if (mustGiveUpPrivilege(question)) giveUpPrivilege()
  }

  const folder = borrowed ? undefined : folderWithoutConfiguration(invocation)
  if (folder !== undefined) {
    return { is: 'ended', exitCode: await dropMessage(invocation, terminal, folder) }
  }
  const loaded = await loadConfiguration({
    files,
    defines,
    settingsOnly: settingsOnly.has(invocation.mode),
  })
  if (loaded.is === 'none') {
    if (tellParent(loaded.message)) return ended
    terminal.err(`${stamp()} ${loaded.message}\n`)
    return ended
  }
  const { configuration, fatal } = loaded
  const [first] = fatal
  if (first !== undefined) {
    // A worker's parent tells the log; at a first start it has shown all of them itself.
    if (tellParent(first.message)) return ended
    terminal.err(fatal.map(showFatal).join(''))
    return ended
  }
  const opened = await openServer({
    configuration,
    programPath,
    environment: borrowed ? {} : process.env,
    pretend: has(invocation, '-N'),
    ...watching,
    syslogName: valueOf(invocation, '-L'),
    brief: invocation.mode !== 'daemon',
    counts: countedModes.has(invocation.mode),
  })
  if (opened.is === 'wrong') {
    if (tellParent(opened.message)) return ended
    const { diagnostic, message } = opened
    terminal.err(diagnostic === undefined ? `${stamp()} ${message}\n` : showFatal(diagnostic))
    return ended
  }
  const { server } = opened
  const { settings, accounts, facts } = server
  const caller = await named(callerOf(accounts), server)
  const rights = rightsOf(
    caller,
    {
      trustedUsers: (await server.list(settings.trusted_users)) ?? [],
      trustedGroups: (await server.list(settings.trusted_groups)) ?? [],
      adminGroups: (await server.list(settings.admin_groups)) ?? [],
      eximUid: facts.eximUid,
      eximGid: facts.eximGid,
    },
    accounts,
  )
  if (!allowed(invocation, rights, settings)) {
    await server.close()
    return complain('permission denied')
  }
  if (has(invocation, '-G') && !rights.trusted) {
    await server.close()
    return complain('permission denied (-G requires a trusted user)')
  }
  const noAddress = rights.trusted || isTest(invocation) ? wrongAddress(invocation) : undefined
  if (noAddress !== undefined) {
    await server.close()
    terminal.err(`${invocation.calledAs} abandoned: "${noAddress}" is not an IP address\n`)
    return ended
  }
  const noPerl = await perlTrouble(invocation, server, borrowed)
  if (noPerl !== undefined) {
    await server.close()
    terminal.err(`${invocation.calledAs}: ${noPerl}`)
    return ended
  }
  if (settings.process_log_path !== undefined) state.writeTo(settings.process_log_path)
  else state.writeTo(`${facts.spoolDirectory}/exim-process.info`)
  // Others than admins may have no right to the log: their calls leave this line to those of the daemon.
  if (rights.admin && server.log.selects('arguments')) logArguments(server.log, invocation)
  return { is: 'ready', call: { server, caller, rights, state } }
}

/** `perl_at_start` and -ps: what is wrong with the code of `perl_startup`. Not with rights that the caller has not. */
async function perlTrouble(
  invocation: Invocation,
  server: Server,
  borrowed: boolean,
): Promise<string | undefined> {
  const { perl_startup: startup, perl_at_start: atStart, perl_taintmode: taintMode } = server.settings
  const starts = invocation.mode === 'daemon' && process.env['POSTERN_WORKER'] === undefined
  const wanted = has(invocation, '-ps') || (atStart && starts && !has(invocation, '-pd'))
  if (startup === undefined || !wanted || borrowed) return undefined
  const [{ checkPerl }, { keptEnvironment }] = await Promise.all([
    import('../../language/expand/doors/perl.ts'),
    import('../../language/expand/doors/index.ts'),
  ])
  return checkPerl({ startup, taintMode, environment: keptEnvironment(server.context()) })
}

/** What these do changes nothing, so that any caller may say what he likes of a client. Source: Exim manual, "-oMa". */
function isTest({ mode }: Invocation): boolean {
  return ['address-test', 'address-verify', 'expand', 'filter-test'].includes(mode ?? '')
}

/** What is said to be the address of a client, or ours, and is none. */
function wrongAddress(invocation: Invocation): string | undefined {
  return [valueOf(invocation, '-oMa'), valueOf(invocation, '-oMi')].find(
    (value) => value !== undefined && splitHostPort(value) === undefined,
  )
}

/** Values of flags that Exim refuses before it does anything, in its words. */
function malformedValue(invocation: Invocation): string | undefined {
  const { calledAs } = invocation
  const limit = valueOf(invocation, '-os')
  if (limit !== undefined && parseInterval(limit) === undefined)
    return `${calledAs}: bad time value ${limit}: abandoned`
  const about = valueOf(invocation, '-oMm')
  if (about !== undefined && !isMessageId(about)) return '-oMm must be a valid message ID'
  const name = valueOf(invocation, '-L')
  if (name !== undefined && name.length > longestSyslogName)
    return `${calledAs}: the -L syslog name is too long: "${name}"`
  return name !== undefined && name.length === 0 ? `${calledAs}: the -L syslog name is empty` : undefined
}
/** Source: Exim manual, "syslog_processname". */
const longestSyslogName = 32

/** `-v` and `-d`: what is logged and what is found out on the way, on standard error. */
function watched(invocation: Invocation, terminal: Terminal): Watched | { readonly wrong: string } {
  // -dd is for the daemon itself: what works for it says nothing.
  const inherited = process.env['POSTERN_WORKER'] !== undefined
  const selector = inherited && has(invocation, '-dd') ? undefined : valueOf(invocation, '-d', '-dd')
  const read = readDebugSelector(selector ?? '')
  if (read.is === 'wrong') return { wrong: read.message }
  if (selector === undefined && !has(invocation, '-v', '-ov')) return {}
  const on = new Set(selector === undefined ? ['v'] : read.on)
  if (selector !== undefined && invocation.mode === 'daemon') on.add('pid')
  const pid = on.has('pid') ? `${String(process.pid).padStart(5)} ` : ''
  const debug = (categories: string, line: string): void => {
    if (!isDebugged(categories, on)) return
    const time = on.has('timestamp') ? `${new Date().toTimeString().slice(0, 8)} ` : ''
    let text = line
    if (on.has('noutf8')) for (const { drawn, plain } of lineDrawing) text = text.replaceAll(drawn, plain)
    terminal.err(
      `${text
        .split('\n')
        .map((each) => `${time}${pid}${each}`)
        .join('\n')}\n`,
    )
  }
  if (on.has('memory')) tellMemory(debug)
  return { debug, ...(on.has('v') ? { show: (text: string) => terminal.err(text) } : {}) }
}

/** Once the configuration is there, and at the end. */
function tellMemory(debug: Debug): void {
  const tell = (when: string): void => {
    const { rss, heapUsed, external } = process.memoryUsage()
    const kib = (bytes: number): string => `${Math.round(bytes / 1024)}K`
    debug(
      'memory',
      `memory ${when}: resident ${kib(rss)}, heap ${kib(heapUsed)}, outside of it ${kib(external)}`,
    )
  }
  setImmediate(() => tell('at the start'))
  process.once('exit', () => tell('at the end'))
}

interface Watched {
  readonly show?: (text: string) => void
  readonly debug?: Debug
}

/** In a worker: the parent hears why it cannot begin, or has found out itself. False anywhere else. */
function tellParent(message: string): boolean {
  if (process.env['POSTERN_WORKER'] === undefined) return false
  const told: FromWorker = { type: 'failed', message }
  return process.connected && process.send?.(told) === true
}

/** Macros of -D; or what is wrong with one. */
function macrosOf(invocation: Invocation): Map<string, ByteString> | string {
  const macros = new Map<string, ByteString>()
  for (const { flag, value } of invocation.flags) {
    if (flag !== '-D') continue
    const parts = /^\s*([A-Z][A-Za-z0-9_]*)\s*(?:=\s*(.*))?$/s.exec(value ?? '')
    if (parts === null) return 'a macro of -D must begin with an upper case letter: -DNAME=value'
    if (macros.has(parts[1] ?? '')) return 'duplicated -D in command line'
    macros.set(parts[1] ?? '', encodeUtf8(parts[2] ?? ''))
  }
  return macros
}

export function configurationFiles(invocation: Invocation): readonly string[] | undefined {
  const given = invocation.flags.findLast(({ flag }) => flag === '-C')?.value
  return given?.split(':').map((file) => file.trim())
}

function allowed(
  invocation: Invocation,
  rights: CallerRights,
  settings: ServerCall['server']['settings'],
): boolean {
  if (rights.admin) return true
  if (settings.commandline_checks_require_admin && invocation.flags.some(({ flag }) => checks.has(flag)))
    return false
  return invocation.flags.every(({ flag }) => {
    const { admin }: FlagRow = flagTable[flag]
    if (admin === undefined) return true
    if (admin === true) return false
    return admin.unless === 'no_prod_requires_admin'
      ? !settings.prod_requires_admin
      : !settings.queue_list_requires_admin
  })
}

/** Flags that only look at something: Exim manual, "commandline_checks_require_admin". */
const checks: ReadonlySet<string> = new Set([
  '-be',
  '-bem',
  '-bf',
  '-bF',
  '-bh',
  '-bhc',
  '-bmalware',
  '-brt',
  '-brw',
  '-bt',
  '-bv',
  '-bvs',
])

/** `unknown_login`: the login of a caller whom the system does not know. */
async function named(caller: Caller, server: ServerCall['server']): Promise<Caller> {
  const option = server.settings.unknown_login
  if (option === undefined || server.accounts.byUid(caller.uid) !== undefined) return caller
  const { uid, gid, login } = caller
  const message = newMessage({ receivedAt: Date.now(), local: true, originator: { login, uid, gid } })
  const name = await server.text(option, server.context({ message }))
  return name === undefined || name === '' ? caller : { ...caller, login: name }
}

/** In Exim's form first, for scripts; then the frame that shows the place. */
function showFatal(diagnostic: Diagnostic): string {
  const place = diagnostic.at === undefined ? undefined : locate(diagnostic.at)
  const where = place === undefined ? '' : ` in line ${place.line} of ${place.file}`
  return `${stamp()} Exim configuration error${where}:\n  ${diagnostic.message}\n${encodeUtf8(renderDiagnostic(diagnostic))}\n\n`
}

function stamp(): string {
  const now = new Date()
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000)
    .toISOString()
    .slice(0, 19)
    .replace('T', ' ')
}

/** Source: Exim manual, log selector "arguments". */
function logArguments(log: ServerCall['server']['log'], invocation: Invocation): void {
  const words = process.argv.slice(2).map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `"${word}"`))
  log.main(
    undefined,
    `cwd=${process.cwd()} ${words.length + 1} args: ${[invocation.calledAs, ...words].join(' ')}`,
  )
}
