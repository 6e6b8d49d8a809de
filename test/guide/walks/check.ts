import { boxes, compose, type, typeAndCompare, type Walk, write } from '../world.ts'

export const check: Walk = {
  async walk(page) {
    const clean = compose(boxes)
    write('/etc/exim4/exim4.conf', clean)
    write(
      '/root/exim.conf',
      `${clean.replace('acl_smtp_rcpt = accept\n', '.ifdef FOO\n.endif\nacl_smtp_rcpt = accept\n')}`,
    )
    write('/root/moved.conf', page.take('hostlist relay_from_hosts', '$local_part'))
    await typeAndCompare(page.take('postern check moved.conf'), { cwd: '/root', status: 1 })
    await typeAndCompare(page.take('postern explain-code taint'), { status: 0 })
    await type(page.take('postern check /etc/exim4/exim4.conf', '--strict --json'))
  },
}
