/**
 * The least that a process of Node can do with a message: what any mail server in it pays before it decides anything. It knows no
 * configuration, writes no log, keeps no queue, checks nothing and forgets what a crash left; only its syncs are real. Its figures, in
 * one run with ours and with other servers, are the floor that bench/README.md speaks of.
 *
 *     node dist/bench/floor.js PORT SINK-PORT FOLDER relay|maildir|reject|proxy
 */
import { closeSync, fdatasync, fsync, mkdirSync, openSync, rename, write, writev } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'

type Mode = 'relay' | 'maildir' | 'reject' | 'proxy'

/** Messages into one file, one sync for all that wait. */
class Commits {
  readonly #descriptor: number
  #waiting: { readonly pieces: readonly Buffer[]; readonly done: () => void }[] = []
  #busy = false
  constructor(path: string) {
    this.#descriptor = openSync(path, 'a')
  }
  add(pieces: readonly Buffer[], done: () => void): void {
    this.#waiting.push({ pieces, done })
    if (!this.#busy) this.#commit()
  }
  #commit(): void {
    this.#busy = true
    const batch = this.#waiting
    this.#waiting = []
    const all = batch.flatMap(({ pieces }) => pieces)
    writev(this.#descriptor, all, (failed) => {
      if (failed !== null) throw failed
      fdatasync(this.#descriptor, () => {
        for (const { done } of batch) done()
        if (this.#waiting.length > 0) this.#commit()
        else this.#busy = false
      })
    })
  }
}

function relay(sink: number, pieces: readonly Buffer[]): void {
  const socket = connect({ port: sink, host: '127.0.0.1', noDelay: true })
  let step = 0
  socket.on('error', () => undefined)
  socket.on('data', (bytes) => {
    const reply = bytes.toString('latin1')
    if (step === 0) socket.write('EHLO floor.example\r\n', 'latin1')
    else if (step === 1 && reply.includes('250 '))
      socket.write('MAIL FROM:<a@b.example> SIZE=4096\r\nRCPT TO:<c@d.example>\r\nDATA\r\n', 'latin1')
    else if (step === 2 && reply.includes('354')) {
      socket.cork()
      for (const piece of pieces) socket.write(piece)
      socket.uncork()
    } else if (step === 3 && reply.includes('250')) socket.end('QUIT\r\n', 'latin1')
    else return
    step++
  })
}

let count = 0
function deliver(folder: string, pieces: readonly Buffer[]): void {
  const name = `${Date.now()}.${count++}`
  const descriptor = openSync(join(folder, 'tmp', name), 'wx')
  const bytes = Buffer.concat(pieces)
  write(descriptor, bytes, 0, bytes.length, 0, () =>
    fdatasync(descriptor, () => {
      closeSync(descriptor)
      rename(join(folder, 'tmp', name), join(folder, 'new', name), () => {
        const directory = openSync(join(folder, 'new'), 'r')
        fsync(directory, () => closeSync(directory))
      })
    }),
  )
}

function serve(socket: Socket, mode: Mode, commits: Commits, deliverTo: (pieces: Buffer[]) => void): void {
  let data = false
  let pieces: Buffer[] = []
  let line = ''
  const say = (text: string): unknown => socket.write(text, 'latin1')
  const command = (text: string): void => {
    const verb = text.slice(0, 4).toUpperCase()
    if (verb === 'PROX') say('220 floor ESMTP\r\n')
    else if (verb === 'EHLO')
      say('250-floor\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 HELP\r\n')
    else if (verb === 'DATA') {
      data = true
      say('354 go\r\n')
    } else if (verb === 'QUIT') socket.end('221 bye\r\n', 'latin1')
    else if (verb === 'RCPT' && (mode === 'reject' || mode === 'proxy')) say('550 no\r\n')
    else say('250 OK\r\n')
  }
  socket.on('error', () => undefined)
  socket.on('end', () => socket.end())
  if (mode !== 'proxy') say('220 floor ESMTP\r\n')
  socket.on('data', (bytes) => {
    if (data) {
      pieces.push(bytes)
      if (bytes.length < 5 || bytes.toString('latin1', bytes.length - 5) !== '\r\n.\r\n') return
      const whole = pieces
      pieces = []
      data = false
      commits.add(whole, () => {
        say('250 OK\r\n')
        deliverTo(whole)
      })
      return
    }
    line += bytes.toString('latin1')
    for (let end = line.indexOf('\r\n'); end >= 0; end = line.indexOf('\r\n')) {
      const text = line.slice(0, end)
      line = line.slice(end + 2)
      command(text)
    }
  })
}

const [port = '', sink = '', folder = '', mode = 'relay'] = process.argv.slice(2)
mkdirSync(join(folder, 'tmp'), { recursive: true })
mkdirSync(join(folder, 'new'), { recursive: true })
const commits = new Commits(join(folder, 'spool'))
createServer({ noDelay: true, allowHalfOpen: true }, (socket) =>
  serve(socket, mode as Mode, commits, (pieces) =>
    mode === 'maildir' ? deliver(folder, pieces) : relay(Number(sink), pieces),
  ),
).listen({ port: Number(port), host: '127.0.0.1', backlog: 1000 })
