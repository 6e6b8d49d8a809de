/** Ports that count what they are asked; only a daemon whose configuration sets `metrics_listen` goes through here. */
import { after } from '../../base/outcome.ts'
import type { Context, DnsAnswer, Log, LogFacts, Ports } from '../../ports.ts'
import type { Counters } from './counters.ts'

export function countPorts(ports: Ports, counters: Counters): Ports {
  let plainLog: Log | undefined
  let countedLog: Log | undefined
  return {
    ...ports,
    // A getter of the ports stays one: the log is known only later.
    get log() {
      if (plainLog !== ports.log || countedLog === undefined) {
        plainLog = ports.log
        countedLog = countLog(plainLog, counters)
      }
      return countedLog
    },
    count: (name, ...labels) => counters.add(name, 1, ...labels),
    runAcl: (acl, place, context, args) =>
      after(ports.runAcl(acl, place, context, args), (result) => {
        // An ACL that another one calls is part of it.
        if ((context.aclDepth ?? 0) === 0) counters.add('acl_results_total', 1, place, result.verdict)
        return result
      }),
    lookup: (request, context) =>
      after(ports.lookup(request, context), (result) => {
        if (result.is === 'defer' && result.message.includes('not asked again for a moment'))
          counters.add('lookups_refused_total', 1, request.type)
        return result
      }),
    raise(event, data, context, details) {
      counters.add('events_total', 1, event)
      if (event === 'msg:host:defer')
        counters.add('host_deferrals_total', 1, hostOf(context), reasonOf(details?.errno ?? 0))
      if (event === 'msg:fail:internal') counters.add('deliveries_total', 1, '', 'failed')
      if (event === 'tls:fail:connect') counters.add('tls_failures_total', 1, 'in')
      return ports.raise(event, data, context, details)
    },
    async dns(name, type, options) {
      const began = performance.now()
      const answer: DnsAnswer = await ports.dns(name, type, options)
      counters.add('dns_queries_total', 1, type, answer.status)
      counters.add('dns_seconds_total', (performance.now() - began) / 1000, type)
      return answer
    },
    async hostAddresses(name, options) {
      const began = performance.now()
      const found = await ports.hostAddresses(name, options)
      counters.add('dns_queries_total', 1, 'host', found.is)
      counters.add('dns_seconds_total', (performance.now() - began) / 1000, 'host')
      return found
    },
  }
}

function countLog(log: Log, counters: Counters): Log {
  const seen = (facts: LogFacts | undefined): void => {
    switch (facts?.event) {
      case 'msg:received':
        counters.add(
          'messages_received_total',
          1,
          typeof facts['protocol'] === 'string' ? facts['protocol'] : '',
        )
        counters.add('messages_received_bytes_total', typeof facts['size'] === 'number' ? facts['size'] : 0)
        return
      case 'smtp:rejected': {
        const at = facts.decidedBy
        const verdict = typeof facts['verdict'] === 'string' ? facts['verdict'] : 'deny'
        if (at === undefined) counters.add('rejections_total', 1, '', '', '', verdict)
        else counters.add('rejections_total', 1, at.name, at.file, at.line, verdict)
        return
      }
      default:
    }
  }
  return {
    ...log,
    main(id, text, facts) {
      seen(facts)
      log.main(id, text, facts)
    },
    reject(id, text, how) {
      seen(how?.facts)
      log.reject(id, text, how)
    },
    panic(id, text, facts) {
      counters.add('panics_total', 1)
      seen(facts)
      log.panic(id, text, facts)
    },
  }
}

function hostOf({ delivery }: Context): string {
  return (delivery?.host ?? delivery?.hostAddress ?? '').toLowerCase()
}

/** Few words, so that few rows are kept. Numbers below zero are Exim's own. */
const reasons: Readonly<Record<number, string>> = {
  [-18]: 'connection lost',
  [-19]: 'malformed reply',
  [-37]: 'TLS',
  [-38]: 'TLS required',
  [-42]: 'authentication',
  [-44]: 'RCPT refused for now',
  [-45]: 'MAIL refused for now',
  [-46]: 'DATA refused for now',
  [-48]: 'authentication',
  101: 'unreachable',
  104: 'connection lost',
  110: 'timed out',
  111: 'refused',
  113: 'unreachable',
}

function reasonOf(errno: number): string {
  return reasons[errno] ?? 'other'
}
