/** `postern health`: one line and an exit code, for containers, load balancers and monitors. */
import { isIPv6 } from 'node:net'
import { encodeUtf8 } from '../../../base/text.ts'
import { wantedAddresses } from '../../../server/daemon.ts'
import { ProcessState } from '../../../server/process-state.ts'
import { connectTo } from '../../../wire/outbound.ts'
import { parseCommandLine } from '../parse.ts'
import { waiting } from '../progress.ts'
import { readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'

export const usage = `usage: postern health [-C FILE] [--address IP:PORT] [--timeout SECONDS]
`

interface Place {
  readonly address: string
  readonly port: number
  /** Nobody greets before the client speaks: TLS from the first byte, or a PROXY header. */
  readonly silent: boolean
}

/** What is listened on for all addresses is asked here. */
const loopback: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** Exit code 0: the daemon answers; 1: it does not; 2: the question was wrong. */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern health: ${options}\n${usage}`))
    return 2
  }
  const places =
    options.place === undefined ? await placesOfConfiguration(options.config, terminal) : [options.place]
  let line = ''
  for (const place of places) {
    const began = performance.now()
    const shown = waiting(terminal, 'waiting for an answer')
    const answer = await ask(place, options.timeoutMs).finally(() => shown.end())
    const where = `${isIPv6(place.address) ? `[${place.address}]` : place.address}:${place.port}`
    const tookMs = Math.round(performance.now() - began)
    line = `${answer.healthy ? 'healthy' : 'unhealthy'}: ${where} ${answer.said} (${tookMs} ms)`
    if (!answer.healthy) continue
    terminal.out(encodeUtf8(`${line}\n`))
    return 0
  }
  if (line !== '') terminal.out(encodeUtf8(`${line}\n`))
  return 1
}

/** Where the daemon of a configuration listens, those that greet first; one of them has to answer. */
async function placesOfConfiguration(
  config: string | undefined,
  terminal: Terminal,
): Promise<readonly Place[]> {
  const { prepareServer } = await import('../prepare-server.ts')
  const parsed = parseCommandLine('postern', [...(config === undefined ? [] : ['-C', config]), '-bpc'])
  if (parsed.is === 'refused') return []
  const prepared = await prepareServer(
    parsed.invocation,
    terminal,
    process.argv[1] ?? 'postern',
    new ProcessState(),
  )
  if (prepared.is === 'ended') return []
  const { server } = prepared.call
  try {
    const wanted = await wantedAddresses(server, { listen: true })
    if (wanted.is === 'wrong') {
      terminal.err(encodeUtf8(`unhealthy: ${wanted.message}\n`))
      return []
    }
    const proxied = server.settings.hosts_proxy !== undefined
    return wanted.addresses
      .map(({ address, port, tlsOnConnect }) => ({
        address: loopback[address] ?? address,
        port,
        silent: tlsOnConnect || proxied,
      }))
      .sort((a, b) => Number(a.silent) - Number(b.silent))
  } finally {
    await server.close()
  }
}

async function ask(
  { address, port, silent }: Place,
  timeoutMs: number,
): Promise<{ readonly healthy: boolean; readonly said: string }> {
  const connected = await connectTo({ address, port, timeoutMs })
  if (connected.is === 'failed') return { healthy: false, said: connected.message }
  const { socket } = connected
  socket.on('error', () => undefined)
  try {
    if (silent) return { healthy: true, said: 'takes connections' }
    const text = await greeting(socket, timeoutMs)
    if (text === undefined) return { healthy: false, said: 'says nothing' }
    socket.write('QUIT\r\n')
    return { healthy: text.startsWith('220'), said: `answers ${text.slice(0, 3)}` }
  } finally {
    socket.end()
  }
}

function greeting(socket: NodeJS.ReadableStream, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), timeoutMs)
    const give = (text: string | undefined): void => {
      clearTimeout(timer)
      resolve(text)
    }
    socket.once('data', (bytes: Buffer) => give(bytes.toString('latin1')))
    socket.once('end', () => give(undefined))
    socket.once('close', () => give(undefined))
  })
}

interface Options {
  readonly config: string | undefined
  readonly place: Place | undefined
  readonly timeoutMs: number
}

function readOptions(words: readonly string[]): Options | string {
  const read = readWords({
    args: [...words],
    options: {
      config: { type: 'string', short: 'C' },
      address: { type: 'string' },
      timeout: { type: 'string', default: '5' },
    },
  })
  if ('wrong' in read) return read.wrong
  const { values } = read
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(values.address ?? '')
  if (values.address !== undefined && parts === null)
    return `--address ${values.address}: an address and a port, such as 127.0.0.1:25`
  const seconds = Number(values.timeout)
  if (!(seconds > 0 && seconds <= 600)) return `--timeout ${values.timeout}: a number of seconds, 600 at most`
  return {
    config: values.config,
    place:
      parts === null
        ? undefined
        : { address: parts[1] ?? parts[2] ?? '', port: Number(parts[3]), silent: false },
    timeoutMs: seconds * 1000,
  }
}
