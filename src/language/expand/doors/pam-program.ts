/**
 * Asks PAM for pam.ts: a process of its own, as modules of PAM are code of others that may wait, crash or leave something behind.
 * Reads a `PamQuestion` on its input, writes a `PamAnswer`. Source: Linux-PAM, pam_conv(3); Exim manual, "Expansion conditions", pam.
 */
import { loadKoffi } from '../../../base/posix.ts'
import type { PamAnswer, PamQuestion } from './pam.ts'

// Values of Linux-PAM.
const success = 0
const bufferError = 5
const silent = 0x8000
const prompts: ReadonlySet<number> = new Set([1, 2]) // PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON
const service = 'exim'
const pointerBytes = 8
const responseBytes = 16

let input = ''
process.stdin.setEncoding('utf8')
process.stdin.on('data', (piece: string) => (input += piece))
process.stdin.on('end', () => {
  // Only `pam.ts` starts this file.
  process.stdout.write(JSON.stringify(ask(JSON.parse(input) as PamQuestion)))
})

function ask({ user, answers }: PamQuestion): PamAnswer {
  const koffi = loadKoffi()
  if (typeof koffi === 'string') return { code: -1, message: koffi }
  const c = koffi.load('libc.so.6')
  const calloc = c.func('calloc', 'void *', ['size_t', 'size_t'])
  const duplicate = c.func('strdup', 'void *', ['void *'])
  const pam = koffi.load('libpam.so.0')
  const message = koffi.struct({ msg_style: 'int', msg: 'void *' })
  const converse = koffi.proto('pam_conversation', 'int', ['int', 'void *', 'void *', 'void *'])
  const conversation = koffi.struct({ conv: koffi.pointer(converse), appdata_ptr: 'void *' })
  const start = pam.func('pam_start', 'int', [
    'str',
    'void *',
    koffi.pointer(conversation),
    koffi.out('void **'),
  ])
  const authenticate = pam.func('pam_authenticate', 'int', ['void *', 'int'])
  const mayEnter = pam.func('pam_acct_mgmt', 'int', ['void *', 'int'])
  const wordsFor = pam.func('pam_strerror', 'str', ['void *', 'int'])
  const end = pam.func('pam_end', 'int', ['void *', 'int'])

  const left = [...answers]
  const answer = koffi.register((count: number, questions: unknown, responses: unknown): number => {
    const block: unknown = calloc(count, responseBytes)
    if (block === null) return bufferError
    for (let i = 0; i < count; i++) {
      const { msg_style: style } = koffi.decode(
        koffi.decode(questions, i * pointerBytes, 'void *'),
        message,
      ) as { msg_style: number }
      if (!prompts.has(style)) continue
      // Where nothing is left it is an empty one: observed of Exim 4.96.
      koffi.encode(block, i * responseBytes, 'void *', duplicate(bytesOf(left.shift() ?? '')))
    }
    koffi.encode(responses, 'void *', block)
    return success
  }, koffi.pointer(converse))
  const handles: unknown[] = [null]
  let code = Number(start(service, bytesOf(user), { conv: answer, appdata_ptr: null }, handles))
  const [handle] = handles
  if (code === success) code = Number(authenticate(handle, silent))
  if (code === success) code = Number(mayEnter(handle, silent))
  const said = String(wordsFor(handle, code))
  end(handle, code)
  return { code, message: said }
}

function bytesOf(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'latin1')
}
