/** The longest stretch between two turns of the event loop, in processor time: others share this machine. */
export const watch = {
  heldMs: 0,
  running: false,
  mark: { wall: 0, cpu: process.cpuUsage() },
  start(): void {
    this.heldMs = 0
    this.running = true
    this.take()
    setImmediate(this.tick)
  },
  tick: (): void => {
    if (!watch.running) return
    watch.measure()
    setImmediate(watch.tick)
  },
  take(): void {
    this.mark = { wall: performance.now(), cpu: process.cpuUsage() }
  },
  measure(): void {
    const wall = performance.now() - this.mark.wall
    if (wall > this.heldMs) {
      const cpu = process.cpuUsage(this.mark.cpu)
      this.heldMs = Math.max(this.heldMs, Math.min(wall, (cpu.user + cpu.system) / 1000))
    }
    this.take()
  },
  stop(): void {
    this.measure()
    this.running = false
  },
}
