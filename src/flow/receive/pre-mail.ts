/** Contexts for ACLs: of the message under way, or of the session before there is one. */
import type { Context, MessageControls, MessageFacts } from '../../ports.ts'
import { newMessage } from './message-facts.ts'
import type { Session } from './session-state.ts'

const key = 'preMail'

/** The context an ACL runs in. Before MAIL, controls and `$acl_m_...` go to a record that only the session holds. */
export function aclContext(session: Session): Context {
  return session.transaction?.context ?? { ...session.context, message: preMail(session) }
}

/** Controls that were set before MAIL (`control = no_enforce_sync` in the connect ACL), if any ACL ran. */
export function preMailControls(session: Session): MessageControls | undefined {
  return known(session)?.controls
}

function preMail(session: Session): MessageFacts {
  const there = known(session)
  if (there !== undefined) return there
  const made = newMessage({
    receivedAt: session.context.ports.now(),
    local: !session.remote,
    originator: originatorOf(session),
  })
  session.connection.extra.set(key, made)
  return made
}

function known(session: Session): MessageFacts | undefined {
  const value = session.connection.extra.get(key)
  // Only `preMail` stores under this key.
  return value as MessageFacts | undefined
}

/** Who submitted: the caller of a local program, the run-time user for mail from the network. */
export function originatorOf(session: Session): MessageFacts['originator'] {
  const { caller } = session.connection
  if (caller !== undefined) return { login: caller.login, uid: caller.uid, gid: caller.gid }
  const { server, ports } = session.context
  // Asked for with each message: not looked up each time.
  const login = server.eximLogin ?? ports.accounts.byUid(server.eximUid)?.name
  return { login: login ?? `uid${server.eximUid}`, uid: server.eximUid, gid: server.eximGid }
}
