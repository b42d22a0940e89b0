// gateway-rate: so many commands a second, with a second's worth at once.

export class Rate {
  private left = 0;
  private atMs = Number.NEGATIVE_INFINITY;

  /** Takes one; false when there is none left. A rate of 0 is no limit. */
  take(perSecond: number, nowMs: number): boolean {
    if (perSecond === 0) return true;
    const gained = ((nowMs - this.atMs) / 1000) * perSecond;
    this.left = Math.min(perSecond, this.left + Math.max(0, gained));
    this.atMs = nowMs;
    if (this.left < 1) return false;
    this.left -= 1;
    return true;
  }

  /** Has nothing been taken for so long that it is as good as new? */
  isFull(nowMs: number): boolean {
    return nowMs - this.atMs > 1000;
  }
}
