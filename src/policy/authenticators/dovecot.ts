/** The dovecot authenticator: Dovecot judges, over a Unix socket. Source: Exim manual, "The dovecot authenticator". */
import type { AuthenticatorInstance } from '../../language/config/configuration.ts'
import type { Context } from '../../ports.ts'
import { askCondition } from './condition.ts'
import { decodeBase64, encodeBase64 } from './base64.ts'
import { type DovecotPlace, openDovecot } from './dovecot-socket.ts'
import { dovecotOptions, type DovecotSettings } from './dovecot.options.ts'
import type { AuthenticatorDriver, ServerDialogue, ServerVerdict } from './driver.ts'

export const dovecot: AuthenticatorDriver = {
  name: 'dovecot',
  doc: "Hands the dialogue on to Dovecot's authentication service.",
  options: dovecotOptions,
  check(instance, report) {
    const { server_socket: socket, server_tls } = settingsOf(instance)
    if (socket === undefined || placeOf(socket, server_tls === true) !== undefined) return
    report({
      code: 'dovecot-socket',
      severity: 'error',
      fatal: true,
      message: `${instance.name} authenticator: server_socket "${socket}" is neither an absolute path nor an address and a port`,
      at: instance.setAt.get('server_socket') ?? instance.at,
      help: 'name the Unix socket of the service, such as /run/dovecot/auth-client, or write 192.0.2.1 12345',
    })
  },
  isServer: (instance) => settingsOf(instance).server_socket !== undefined,
  isClient: () => false,
  serve,
}

/** The driver of the instance is dovecot, so its settings were read through its table. */
function settingsOf(instance: AuthenticatorInstance): AuthenticatorInstance<DovecotSettings>['settings'] {
  return (instance as AuthenticatorInstance<DovecotSettings>).settings
}

/** `/path`, or `address port`, as Exim reads it. */
function placeOf(text: string, tls: boolean): DovecotPlace | undefined {
  if (text.startsWith('/')) return { path: text }
  const [, host = '', port = ''] = /^\[?([\w.:-]+)\]?\s+(\d{1,5})$/.exec(text.trim()) ?? []
  return host !== '' && Number(port) > 0 && Number(port) < 65_536
    ? { host, port: Number(port), tls }
    : undefined
}

/** No mechanism of Dovecot needs as many. */
const mostSteps = 20

async function serve({ instance, values, initial, ask }: ServerDialogue): Promise<ServerVerdict> {
  const { server_socket, server_tls, server_condition, public_name } = settingsOf(instance)
  const place = server_socket === undefined ? undefined : placeOf(server_socket, server_tls === true)
  if (place === undefined) return { is: 'fail' }
  const opened = await openDovecot(place)
  if ('problem' in opened) return { is: 'defer', why: opened.problem }
  try {
    const mechanism = (public_name ?? instance.name).toUpperCase()
    if (!opened.mechanisms.includes(mechanism)) {
      return { is: 'defer', why: `mechanism ${mechanism} is not offered by Dovecot` }
    }
    let reply = await opened.say(requestLine(mechanism, values.context, initial))
    for (let step = 0; step < mostSteps && reply?.[0] === 'CONT'; step++) {
      const challenge = decodeBase64(reply[2] ?? '')
      if (challenge === undefined) break
      const answer = await ask(challenge)
      if (answer.is !== 'data') return answer
      reply = await opened.say(['CONT', '1', encodeBase64(answer.data)])
    }
    const user = field(reply ?? [], 'user')
    if (user !== undefined) values.set(1, user)
    switch (reply?.[0]) {
      case 'OK':
        return askCondition(server_condition, values)
      case 'FAIL':
        return reply.includes('temp')
          ? { is: 'defer', why: field(reply, 'reason') ?? 'Dovecot cannot tell now' }
          : { is: 'fail' }
      default:
        return { is: 'defer', why: 'authentication socket protocol error' }
    }
  } finally {
    opened.close()
  }
}

/** `AUTH id mechanism parameters`; the initial response comes last. Source: Dovecot's description of the protocol, version 1.1. */
function requestLine(mechanism: string, { connection }: Context, initial: string | undefined): string[] {
  const { hostAddress = '', interfaceAddress = '', tls } = connection ?? {}
  const line = ['AUTH', '1', mechanism, 'service=smtp']
  if (tls !== undefined || hostAddress === interfaceAddress) line.push('secured')
  if (tls?.certificateVerified === true) line.push('valid-client-cert')
  line.push(`rip=${hostAddress}`, `lip=${interfaceAddress}`, 'nologin')
  if (initial !== undefined) line.push(`resp=${encodeBase64(initial)}`)
  return line
}

function field(reply: readonly string[], name: string): string | undefined {
  return reply.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1)
}
