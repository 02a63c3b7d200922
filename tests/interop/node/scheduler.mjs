// One of the processes of the mixed suite of schedules: a real pg-boss that does nothing but take part in firing.
// Told its connection by its first line of input, JSON; ends with its input, if it is not killed before.

import { createInterface } from 'node:readline'
import { PgBoss } from 'pg-boss'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const connection = JSON.parse((await lines.next()).value)
const boss = new PgBoss({
  ...connection, max: 3, supervise: false, cronMonitorIntervalSeconds: 1, cronWorkerIntervalSeconds: 1
})
boss.on('error', error => console.error(String(error?.message ?? error)))
await boss.start()
console.log('READY')
await lines.next()
await boss.stop({ graceful: true, timeout: 5000 })
process.exit(0)
