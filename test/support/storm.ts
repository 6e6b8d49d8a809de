/**
 * Many messages to many domains, a tenth of which refuse, time out or drop the connection at random. Each domain has a
 * host of its own: 127.1.A.B for A-B.storm. What was acknowledged must arrive; twice only where the answer to the
 * final dot was lost (RFC 1047), which the sink counts.
 */
import { connect, createServer, type Socket } from 'node:net'
import { treeKib } from './processes.ts'
import { freePort, startServer, temporaryFolder } from './server.ts'

export interface StormOptions {
  readonly messages: number
  readonly domains: number
  /** Connections that hand messages in. */
  readonly sources: number
  /** The longest that the last message may take after the last was handed in. */
  readonly drainMs: number
  readonly onProgress?: (line: string) => void
}

export interface StormResult {
  readonly acknowledged: number
  /** Acknowledged, and never arrived. */
  readonly lost: number
  /** Arrived more than once: how many of them, and of those without a lost answer. */
  readonly doubled: number
  readonly doubledWithoutReason: number
  readonly answersLost: number
  readonly bounces: number
  readonly acceptedMs: number
  readonly totalMs: number
  /** Memory that the processes of the server own: when a quarter had arrived, and the most after that. */
  readonly quarterBytes: number
  readonly mostBytes: number
  /** The longest from acceptance to arrival at a healthy domain, of all but the slowest hundredth. */
  readonly healthyMs: number
}

/** One in ten. */
const troubled = (domain: number): boolean => domain % 10 === 7

export async function storm(options: StormOptions): Promise<StormResult> {
  const folder = temporaryFolder('storm')
  const sink = await startStormSink()
  const port = await freePort()
  const server = await startServer({
    folder: folder.path,
    port,
    arguments: ['-q2s'],
    configuration: `
primary_hostname = mta.example
acl_smtp_rcpt = ok
smtp_accept_max = 0
smtp_accept_max_per_connection = 1000000
smtp_accept_queue_per_connection = 0
delay_warning =
queue_run_max = 1
begin acl
ok:
  accept
begin routers
storm:
  driver = manualroute
  domains = *.storm
  route_data = \${sg{$domain}{^(\\\\d+)-(\\\\d+).*}{127.1.\\$1.\\$2}}
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${sink.port}
  allow_localhost
  command_timeout = 2s
  connect_timeout = 2s
  hosts_avoid_tls = *
begin retry
* * F,30d,2s
`,
  })
  let sampling = true
  const samples: { arrived: number; bytes: number }[] = []
  const sampler = (async () => {
    while (sampling) {
      samples.push({ arrived: sink.arrived.size, bytes: treeKib(server.process.pid ?? 0) * 1024 })
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  })()
  try {
    const startedAt = Date.now()
    const acknowledged = new Map<number, number>()
    await Promise.all(
      Array.from({ length: options.sources }, (_, i) => handIn(i, port, options, acknowledged)),
    )
    const acceptedMs = Date.now() - startedAt
    options.onProgress?.(`${acknowledged.size} accepted in ${acceptedMs} ms, ${sink.arrived.size} arrived`)
    const until = Date.now() + options.drainMs
    while (missing(acknowledged, sink.arrived) > 0 && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    const totalMs = Date.now() - startedAt
    sampling = false
    await sampler
    const quarter = samples.find(({ arrived }) => arrived >= options.messages / 4)?.bytes ?? 0
    const doubled = [...sink.arrived].filter(([, { times }]) => times > 1)
    return {
      acknowledged: acknowledged.size,
      lost: missing(acknowledged, sink.arrived),
      doubled: doubled.length,
      doubledWithoutReason: doubled.filter(([id, { times }]) => times - 1 > (sink.lostAnswers.get(id) ?? 0))
        .length,
      answersLost: sink.lostAnswers.size,
      bounces: [...server.log().matchAll(/ <= <> /g)].length,
      acceptedMs,
      totalMs,
      quarterBytes: quarter,
      mostBytes: Math.max(...samples.slice(Math.floor(samples.length / 4)).map(({ bytes }) => bytes)),
      healthyMs: slowest(acknowledged, sink.arrived, options.domains),
    }
  } catch (error) {
    throw new Error(
      `${String(error)}\n${server.log('panic').slice(-2000)}\n${[
        ...server.log().matchAll(/^.*(?:source.example|SIGTERM|daemon|127\.0\.0\.1\] ).*$/gm),
      ]
        .filter(([l]) => !/ <= | => |=> /.test(l))
        .map(([l]) => l)
        .slice(-20)
        .join('\n')}\n${server.output().slice(-2000)}`,
    )
  } finally {
    sampling = false
    await server.stop()
    await sink.close()
    folder.remove()
  }
}

interface Arrival {
  times: number
  readonly at: number
}

function missing(acknowledged: ReadonlyMap<number, number>, arrived: ReadonlyMap<number, Arrival>): number {
  let count = 0
  for (const id of acknowledged.keys()) if (!arrived.has(id)) count++
  return count
}

function slowest(
  acknowledged: ReadonlyMap<number, number>,
  arrived: ReadonlyMap<number, Arrival>,
  domains: number,
): number {
  const waits = [...acknowledged]
    .filter(([id]) => !troubled(id % domains))
    .map(([id, at]) => (arrived.get(id)?.at ?? Infinity) - at)
    .sort((a, b) => a - b)
  return waits[Math.floor(waits.length * 0.99)] ?? 0
}

/** One source: its share of the messages over one connection, each with a number in its subject. */
async function handIn(
  first: number,
  port: number,
  { messages, domains, sources }: StormOptions,
  acknowledged: Map<number, number>,
): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  let text = ''
  let wake = (): void => undefined
  let gone = false
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
    wake()
  })
  socket.on('error', (error) => (text += String(error)))
  socket.on('close', () => {
    gone = true
    wake()
  })
  const replies = async (count: number): Promise<string> => {
    for (;;) {
      const found = [...text.matchAll(/^\d{3} .*\r\n/gm)]
      const last = found[count - 1]
      if (last !== undefined) {
        text = text.slice((last.index ?? 0) + last[0].length)
        return last[0]
      }
      if (gone) throw new Error(`the server closed: ${text}`)
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  await replies(1)
  socket.write('EHLO source.example\r\n')
  await replies(1)
  const body = `${'x'.repeat(76)}\r\n`.repeat(12)
  for (let id = first; id < messages; id += sources) {
    const domain = id % domains
    const to = `<u@${domain >> 8}-${domain & 255}.storm>`
    socket.write(`MAIL FROM:<s@source.example>\r\nRCPT TO:${to}\r\nDATA\r\n`)
    await replies(3)
    socket.write(`Subject: number ${id}.\r\n\r\n${body}.\r\n`)
    if ((await replies(1)).startsWith('250')) acknowledged.set(id, Date.now())
  }
  socket.end('QUIT\r\n')
}

interface StormSink {
  readonly port: number
  readonly arrived: Map<number, Arrival>
  /** How often the answer to the final dot was lost. */
  readonly lostAnswers: Map<number, number>
  close(): Promise<void>
}

async function startStormSink(): Promise<StormSink> {
  const sockets = new Set<Socket>()
  const arrived = new Map<number, Arrival>()
  const lostAnswers = new Map<number, number>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    const [, , a = 0, b = 0] = (socket.localAddress ?? '').split('.').map(Number)
    const bad = troubled(a * 256 + b)
    const fate = bad ? Math.random() : 1
    if (fate < 0.2) return void socket.resetAndDestroy()
    // Silent from the start, or from a command on.
    if (fate < 0.3) return
    socket.write('220 sink ESMTP\r\n')
    converse(socket, bad, arrived, lostAnswers)
  })
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', 4096, resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    arrived,
    lostAnswers,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

function converse(
  socket: Socket,
  bad: boolean,
  arrived: Map<number, Arrival>,
  lostAnswers: Map<number, number>,
): void {
  let text = ''
  let inData = false
  const happens = (chance: number): boolean => bad && Math.random() < chance
  const message = (data: string): void => {
    inData = false
    if (happens(0.1)) return void socket.write('451 later\r\n')
    const id = Number(/^Subject: number (\d+)\./m.exec(data)?.[1] ?? -1)
    const before = arrived.get(id)
    if (before === undefined) arrived.set(id, { times: 1, at: Date.now() })
    else before.times++
    if (happens(0.1)) {
      lostAnswers.set(id, (lostAnswers.get(id) ?? 0) + 1)
      socket.destroy()
    } else socket.write('250 taken\r\n')
  }
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
    for (;;) {
      if (socket.destroyed) return
      const end = inData ? text.indexOf('\r\n.\r\n') : text.indexOf('\r\n')
      if (end < 0) return
      const piece = text.slice(0, end)
      text = text.slice(end + (inData ? 5 : 2))
      if (inData) {
        message(piece)
        continue
      }
      if (happens(0.03)) return void socket.destroy()
      if (happens(0.02)) return void socket.removeAllListeners('data')
      const verb = piece.slice(0, 4).toUpperCase()
      if (verb === 'EHLO') socket.write('250-sink\r\n250 PIPELINING\r\n')
      else if (verb === 'DATA') {
        inData = true
        socket.write('354 go\r\n')
      } else if (verb === 'QUIT') return void socket.end('221 bye\r\n')
      else socket.write(verb === 'RCPT' && happens(0.05) ? '450 later\r\n' : '250 ok\r\n')
    }
  })
}
