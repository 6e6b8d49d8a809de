/**
 * `-d`: what the ports are asked and what they answer, in Exim's words where it has some; lists tell of themselves. Only
 * a call that debugs goes through here. Source: Exim manual, "-d<debug options>"; wording observed of Exim 4.96.
 */
import type { Expandable } from '../base/expandable.ts'
import { after, isFailure, type Outcome } from '../base/outcome.ts'
import { type ByteString, encodeUtf8, textOf } from '../base/text.ts'
import type { Hints, HostAddresses, Ports } from '../ports.ts'
import { logNames } from './log-names.ts'

export type Debug = (category: string, line: string) => void

/** Lines that join what belongs together; `noutf8` puts plain characters in their place. */
export const lineDrawing = [
  { drawn: encodeUtf8('╭'), plain: '/' },
  { drawn: encodeUtf8('╰─────'), plain: '\\_____' },
] as const
const [top, bottom] = lineDrawing

/** Longer texts are cut: a whole configuration or message says nothing more. */
const longestShown = 1000

export function watchPorts(ports: Ports, debug: Debug): Ports {
  const expanded = (text: ByteString, ask: () => ReturnType<Ports['expandText']>) => {
    debug('expand', `${top.drawn}considering: ${cut(text)}`)
    return after(ask(), (result) => {
      debug('expand', `${bottom.drawn}result: ${shownOutcome(result)}`)
      return result
    })
  }
  const watched: Ports = {
    ...ports,
    // A getter of the ports stays one: the log is known only later.
    get log() {
      return ports.log
    },
    expand: (text, context) =>
      plain(text) ? ports.expand(text, context) : expanded(text.text, () => ports.expand(text, context)),
    expandText: (text, context) => expanded(text, () => ports.expandText(text, context)),
    lookup(request, context) {
      const where = request.file === undefined ? '' : ` in "${textOf(request.file)}"`
      const key = cut(textOf(request.key))
      debug('lookup', `search_find: type=${request.type} key="${key}"${where}`)
      return after(ports.lookup(request, context), (result) => {
        const what =
          result.is === 'found'
            ? `lookup yielded: ${cut(textOf(result.data))}`
            : result.is === 'none'
              ? 'lookup failed'
              : `lookup ${result.is}: ${'message' in result ? result.message : ''}`
        debug('lookup', what)
        return result
      })
    },
    async verify(request, context) {
      debug('verify', `verifying ${request.kind} ${request.address}`)
      const result = await ports.verify(request, context)
      debug(
        'verify',
        `${request.kind} ${request.address}: ${result.is}${result.logMessage === undefined ? '' : `: ${result.logMessage}`}`,
      )
      return result
    },
    async dns(name, type, options) {
      const answer = await ports.dns(name, type, options)
      const status = {
        found: 'succeeded',
        nodata: 'gave NO_DATA',
        nxdomain: 'gave HOST_NOT_FOUND',
        again: 'gave TRY_AGAIN',
      }
      debug('dns', `DNS lookup of ${name} (${type}) ${status[answer.status]}`)
      for (const record of answer.records) debug('resolver', `;; ${JSON.stringify(record)}`)
      return answer
    },
    async hostAddresses(name, options) {
      debug('host_lookup', `finding IP address for ${name}`)
      const found = await ports.hostAddresses(name, options)
      debug('host_lookup', shownAddresses(name, found))
      return found
    },
    async lookUpHostName(connection, context) {
      if (connection.hostLookup !== 'not done') return ports.lookUpHostName(connection, context)
      debug('host_lookup', `looking up host name for ${connection.hostAddress ?? ''}`)
      await ports.lookUpHostName(connection, context)
      debug(
        'host_lookup',
        connection.hostName === undefined
          ? `host name lookup ${connection.hostLookup} for ${connection.hostAddress ?? ''}`
          : `IP address lookup yielded "${connection.hostName}"`,
      )
    },
    hints: watchHints(ports.hints, debug),
    accounts: {
      byName(name) {
        const found = ports.accounts.byName(name)
        debug(
          'uid',
          found === undefined ? `no user ${name}` : `user ${name}: uid=${found.uid} gid=${found.gid}`,
        )
        return found
      },
      byUid(uid) {
        const found = ports.accounts.byUid(uid)
        debug('uid', found === undefined ? `no user with uid ${uid}` : `uid ${uid} is ${found.name}`)
        return found
      },
      groupByName(name) {
        const found = ports.accounts.groupByName(name)
        debug('uid', found === undefined ? `no group ${name}` : `group ${name}: gid=${found.gid}`)
        return found
      },
      groupByGid: (gid) => ports.accounts.groupByGid(gid),
    },
  }
  return watched
}

/** For `control = debug`: what the ports are asked, what is logged, and word of each line for the panic log. */
export function debugPorts(ports: Ports, debug: Debug, panicked: () => void): Ports {
  const { log } = ports
  const tell = (names: string, text: ByteString): void => debug('any', `LOG: ${names}\n  ${text}`)
  const told: Ports['log'] = {
    ...log,
    main(id, text, facts) {
      tell('MAIN', text)
      log.main(id, text, facts)
    },
    reject(id, text, how) {
      tell(logNames(how), text)
      log.reject(id, text, how)
      if (how?.panic === true) panicked()
    },
    panic(id, text, facts) {
      tell('MAIN PANIC', text)
      log.panic(id, text, facts)
      panicked()
    },
  }
  return Object.defineProperty(watchPorts(ports, debug), 'log', { value: told })
}

/** Text without anything to expand tells nothing. */
function plain(text: Expandable): boolean {
  return !/[$\\]/.test(text.text)
}

function watchHints(hints: Hints, debug: Debug): Hints {
  return {
    get(database, key) {
      const value = hints.get(database, key)
      debug('hints_lookup', `dbfn_read: ${database} key=${key}${value === undefined ? ' (no data)' : ''}`)
      return value
    },
    put(database, key, value) {
      debug('hints_lookup', `dbfn_write: ${database} key=${key}`)
      return hints.put(database, key, value)
    },
    remove(database, key) {
      debug('hints_lookup', `dbfn_delete: ${database} key=${key}`)
      return hints.remove(database, key)
    },
    update: (database, key, change) => {
      debug('hints_lookup', `dbfn_write: ${database} key=${key}`)
      return hints.update(database, key, change)
    },
    entries: (database, range) => hints.entries(database, range),
  }
}

function cut(text: ByteString): ByteString {
  return text.length > longestShown ? `${text.slice(0, longestShown)}...` : text
}

function shownOutcome(result: Outcome): ByteString {
  if (!isFailure(result)) return cut(textOf(result))
  return `${result.kind === 'forced' ? 'forced failure' : 'failed'}: ${result.message}`
}

function shownAddresses(name: string, found: HostAddresses): string {
  return found.is === 'found' ? `${name}: ${found.addresses.join(' ')}` : `${name}: ${found.is}`
}
