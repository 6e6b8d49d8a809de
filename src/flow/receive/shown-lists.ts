/** `-bh` tells which lists of the main section match the client, as Exim does. Source: observed of Exim 4.96. */
import { Expandable } from '../../base/expandable.ts'
import type { Session } from './session-state.ts'

/** In the order in which Exim looks at them. */
const atConnection = [
  'hosts_connection_nolog',
  'host_lookup',
  'host_reject_connection',
  'sender_unqualified_hosts',
  'recipient_unqualified_hosts',
  'helo_verify_hosts',
  'helo_try_verify_hosts',
  'helo_accept_junk_hosts',
  'hosts_proxy',
] as const
const afterConnectAcl = ['pipelining_connect_advertise_hosts'] as const
const atEhlo = [
  'dsn_advertise_hosts',
  'pipelining_advertise_hosts',
  'chunking_advertise_hosts',
  'tls_advertise_hosts',
  'smtputf8_advertise_hosts',
] as const
const atData = ['ignore_fromline_hosts'] as const

const stages = { atConnection, afterConnectAcl, atEhlo, atData }

export async function showLists(session: Session, stage: keyof typeof stages): Promise<void> {
  const { connection, context, settings } = session
  const { debug } = context
  if (!connection.hostChecking || debug === undefined) return
  for (const name of stages[stage]) {
    const list: unknown = settings[name]
    debug(
      'host_lookup',
      `host in ${name}? ${list instanceof Expandable ? await verdictOf(session, list) : 'no (option unset)'}`,
    )
  }
}

/** The words of the list matcher itself, without the lines before its last. */
async function verdictOf(session: Session, list: Expandable): Promise<string> {
  if (list.text.trim() === '') return 'no (end of list)'
  let last = ''
  const context = { ...session.context, debug: (_category: string, line: string) => void (last = line) }
  const found = await context.ports.matchList(
    'host',
    list,
    { address: session.connection.hostAddress },
    context,
  )
  const said = /\? ((?:yes|no) \(.*\))$/.exec(last)?.[1]
  return said ?? (found.is === 'match' ? `yes (matched "${list.text}")` : 'no (end of list)')
}
