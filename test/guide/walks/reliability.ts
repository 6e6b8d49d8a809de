import assert from 'node:assert/strict'
import { appendFileSync, writeFileSync } from 'node:fs'
import { boxes, compose, configurationFile, logged, restart, shell, type Walk } from '../world.ts'

export const reliability: Walk = {
  async walk(page) {
    const parts = [boxes, { main: 'pid_file_path = /run/postern.pid\n' }]
    await restart(...parts)
    for (const command of page.take('postern reload', '--binary').trim().split('\n')) {
      appendFileSync(configurationFile, '# changed\n')
      const { status, all } = await shell(command)
      assert.equal(status, 0, all)
    }
    writeFileSync(configurationFile, `no_such_option\n${compose(...parts)}`)
    await shell('kill -HUP $(cat /run/postern.pid)')
    await logged(page.take('the configuration in force is kept'))
    const { status } = await shell('postern reload')
    assert.equal(status, 1)
  },
}
