import { describe, expect, it } from 'vitest';
import {
  addFloatTexts,
  addLongDoubles,
  FloatRefusal,
  formatLongDouble,
  LONG_DOUBLE_TEXT_BYTES_MAX,
  longDoubleFrom,
  parseLongDouble,
} from '../../src/base/long-double.js';
import { Prng } from '../../src/base/prng.js';

// What Redis 7.2.6 on x86-64 did: SET of the first text, INCRBYFLOAT by the second. Refused: "value
// is not a valid float"; Sum: "increment would produce NaN or Infinity".
const SUMS: readonly [string, string, string][] = [
  ['0.1', '0.2', '0.3'],
  ['10.5', '0.1', '10.6'],
  ['5.0e3', '2.0e2', '5200'],
  ['3.0e3', '200.1', '3200.10000000000000009'],
  ['100.1', '0.2', '100.3'],
  ['1234.1', '0.1', '1234.19999999999999996'],
  ['-0', '0', '0'],
  ['0', '-0', '0'],
  ['-0', '-0', '0'],
  ['1', '-1', '0'],
  ['-1e-20', '0', '0'],
  ['1e-17', '0', '0.00000000000000001'],
  ['5e-18', '0', '0'],
  ['4.9e-18', '0', '0'],
  ['1.5e-17', '0', '0.00000000000000002'],
  ['1e4932', '1e4932', 'Sum'],
  ['-1.1e4932', '-1.1e4932', 'Sum'],
  ['inf', '1', 'Sum'],
  ['1', '-inf', 'Sum'],
  ['inf', '-inf', 'Sum'],
  ['nan', '1', 'Refused'],
  ['1', ' 2', 'Refused'],
  ['1', '2 ', 'Refused'],
  ['', '1', 'Refused'],
  ['1', '', 'Refused'],
  ['0x1p-10', '0', '0.0009765625'],
  ['0x.8', '.5', '1'],
  ['5.', '.5', '5.5'],
  ['1e5000', '1', 'Refused'],
  ['1e-5000', '1', 'Refused'],
  ['3.6e-4951', '1', '1'],
  ['1e-4952', '1', 'Refused'],
  ['9007199254740993', '1', '9007199254740994'],
  ['18446744073709551615', '1', '18446744073709551616'],
  ['18446744073709551616', '1', '18446744073709551616'],
  ['9223372036854775807', '0.5', '9223372036854775807.5'],
  ['1e17', '0.01', '100000000000000000.0078125'],
  ['44.99', '0.001', '44.991'],
  ['45.01', '0.009', '45.019'],
  ['-44.5', '0.75', '-43.75'],
  ['1e+2', '+3', '103'],
  ['0.00000000000000001', '0.00000000000000001', '0.00000000000000002'],
  ['123456789012345', '0.1', '123456789012345.09999847412109375'],
  ['1e-4951', '-1e-4951', 'Refused'],
  ['1e', '1', 'Refused'],
  ['.', '1', 'Refused'],
  ['0x', '1', 'Refused'],
  ['1.2.3', '1', 'Refused'],
  ['--1', '1', 'Refused'],
  ['infinity', '0', 'Sum'],
  ['1', '111111111111111111111111111111.5', '111111111111111111110991806464'],
  ['99999999999999.9', '0.1', '100000000000000'],
  ['3.14159265358979', '2.71828182845904', '5.85987448204883'],
  ['2', '-0.000000000000001', '1.999999999999999'],
  ['0.5e-16', '0.5e-17', '0.00000000000000005'],
  ['-9.99', '9.99', '0'],
  ['0b1', '1', 'Refused'],
  ['1_0', '1', 'Refused'],
  ['0x1c0efff1eae2p9', '0xdp-23', '15795583572100096'],
  ['0x12d2cp24', '211e-27', '1293523353600'],
  ['0.938188276161e-334', '56e17', '5600000000000000000'],
  ['-62.2', '0xbcbd1dbdeb01p0', '207520433826498.8000030517578125'],
  ['0xfdp-23', '-87.82', '-87.81996984004974365'],
  ['0xabd3ef1ebdf2p-5', '01853.5126853346414764875', '5903960571181.07518529891967773'],
  ['76.734', '0x2c2ddf3p28', '12435335581532236.734375'],
  ['0xcc2p-11', '59.16562', '60.7603465625'],
  ['88.18', '-148101419935.557', '-148101419847.37699998915195465'],
  ['-047.620', '-667245.8326410667385482', '-667293.45264106673857896'],
  ['166182393200', '973.55168e-839', '166182393200'],
  ['0x21be3f031dd2p-24', '-666.971833772095', '2210724.0403399997633187'],
  ['-2299.5', '68.82412e-1818', '-2299.5'],
  ['93.2124802991e-3762', '-468612825742909.0815672184615', '-468612825742909.081573486328125'],
  ['99.04222322005929', '0x1000212acfdda1320p16', '1208964058832278336307200'],
  ['23.53093373584981279975e-4280', '552104562232', '552104562232'],
  ['0xbd00ca2bcb31c31b02p-29', '+10', '6494096547427.55506658554077148'],
  ['-24.86433396582', '-43709404646819.33592904741', '-43709404646844.20026397705078125'],
  ['0x1a', '286.', '312'],
  ['06799686181668', '4.55110', '6799686181672.55109977722167969'],
  ['149e-2', '-39942223.36626003464', '-39942221.87626003463810775'],
  ['9920.99393', '218862582006992578', '218862582007002499'],
  ['-46713832008.21683039641', '-581117574982.038040681881790', '-627831406990.25487107038497925'],
  ['9685.4', '34e-26', '9685.40000000000000036'],
  ['-2828.8618358', '1018511092473508', '1018511092470679.13818359375'],
  ['1.469256488173', '125530.7940435405', '125532.26330002867300095'],
  ['4e-11', '35', '35.00000000004'],
  ['3', '-37745.4242319', '-37742.42423189999999877'],
  ['-38.73', '48.07391099565423', '9.34391099565423'],
  ['0xa2c0p18', '1', '10921967617'],
  ['25e26', '-068772349766223.8', '2499999999999931227574370304'],
  ['2809110690.6471565737550528', '0x210022e21a1aed1bbp0', '38047023326769869408'],
  ['0x31a30bc1dp-22', '39.935858173', '3216.69733969651379391'],
  ['36.03715706754801256636e-3777', '-4557687065486.80402152', '-4557687065486.80402135848999023'],
  ['-7673906109480214.5585729958', '408.39335169', '-7673906109479806.1650390625'],
  ['0419.3165', '-74684658566.512094', '-74684658147.19559399783611298'],
  ['574', '-74377855989.27329451769158095', '-74377855415.27329451590776443'],
  ['2e34', '78525392.2427', '20000000000000000000249829657673728'],
  ['86.118122770213574', '4.71441830e-476', '86.118122770213574'],
  ['0xaedfbdd0cca1ep27', '-5371.06091', '412909534802409720643584'],
  ['00454261.52568134383', '597160067.788411', '597614329.31409234378952533'],
  ['-62.0', '9007666.62979478838402409', '9007604.62979478838406067'],
  ['1.79702391652364e-2139', '57046', '57046'],
  ['0x2e02beb02p-21', '-76.17', '5813.20243747711181648'],
  ['94e-15', '21960097996787080', '21960097996787080'],
  ['44380', '3050.5', '47430.5'],
  ['8249e-30', '-17752988592320.81', '-17752988592320.80999946594238281'],
  ['-129549166.1', '79423857626', '79294308459.89999999850988388'],
  ['52.983914538831201', '59120307013669582', '59120307013669634.984375'],
  ['9491e13', '6627e-2', '94910000000000066.2734375'],
  ['-14260525.9736776137', '782290.916490363', '-13478235.05718725069982611'],
  ['49.06078', '-6628746623825881.86', '-6628746623825832.79931640625'],
  ['114e17', '4507', '11400000000000004507'],
  ['7.07362574138e-3563', '-342490835.085563642642', '-342490835.08556364264222793'],
  ['0xf0p-29', '9.7267011526427', '9.72670159967753582'],
  ['4', '-51.7180', '-47.718'],
  ['-8820960.090883445', '-5122325.0791788680155673', '-13943285.17006231301638763'],
  ['66306187031593610', '6207.8795', '66306187031599817.87890625'],
  ['-910.45', '5.03', '-905.41999999999999998'],
  ['14.56814641880', '6.050351836154194649661e-3969', '14.5681464188'],
];

const SEED = Number(process.env.SEED ?? 13);
const repeat = `SEED=${SEED} npx vitest run test/base/long-double.test.ts`;

const target = new Uint8Array(LONG_DOUBLE_TEXT_BYTES_MAX);

function added(first: string, second: string): string {
  const a = Buffer.from(`7${first}7`, 'latin1');
  const b = Buffer.from(`77${second}77`, 'latin1');
  const bytes = addFloatTexts(a, 1, first.length, b, 2, second.length, target, 0);
  if (bytes === FloatRefusal.Sum) return 'Sum';
  if (bytes < 0) return 'Refused';
  return Buffer.from(target.subarray(0, bytes)).toString('latin1');
}

/** The sum by the exact way alone. */
function addedExactly(first: string, second: string): string {
  const a = parseLongDouble(Buffer.from(first), 0, first.length);
  const b = parseLongDouble(Buffer.from(second), 0, second.length);
  return formatLongDouble(addLongDoubles(a!, b!)!);
}

describe('addFloatTexts', () => {
  it('gives the very digits that Redis gives', () => {
    for (const [first, second, sum] of SUMS) {
      expect(added(first, second), JSON.stringify([first, second])).toBe(sum);
    }
  });

  it('tells which of the two words is no float, the second first', () => {
    const word = Buffer.from('1x2');
    expect(addFloatTexts(word, 0, 1, word, 1, 1, target, 0)).toBe(FloatRefusal.Second);
    expect(addFloatTexts(word, 1, 1, word, 0, 1, target, 0)).toBe(FloatRefusal.First);
    expect(addFloatTexts(word, 1, 1, word, 1, 1, target, 0)).toBe(FloatRefusal.Second);
    expect(addFloatTexts(word, 0, 1, word, 2, 1, target, 0)).toBe(1);
  });

  it('may write over the words that it adds', () => {
    const u8 = Buffer.from('10.5_0.1___', 'latin1');
    expect(addFloatTexts(u8, 0, 4, u8, 5, 3, u8, 0)).toBe(4);
    expect(u8.toString('latin1')).toBe('10.60.1___'.replace('10.6', '10.6_'));
  });

  it('holds the largest value and refuses what rounds above it', () => {
    const largest = '1.18973149535723176502e4932';
    const digits = added(largest, '0');
    expect(digits.length).toBe(4933);
    expect(digits.slice(0, 25)).toBe('1189731495357231765021263');
    expect(added(`-${largest}`, '0')).toBe(`-${digits}`);
    expect(added(largest, largest)).toBe('Sum');
    expect(added('1.18973149535723176509e4932', '0')).toBe('Refused');
  });

  it('refuses words of 5 KiB and more, as Redis does', () => {
    expect(added('0'.repeat(5119), '1')).toBe('1');
    expect(added('0'.repeat(5120), '1')).toBe('Refused');
  });

  it('is the same fast and exactly, for short decimals around the limit of the fast way', () => {
    const prng = new Prng(SEED);
    for (let round = 0; round < 20_000; round++) {
      const [first, second] = [0, 1].map(() => {
        const size = [1, 10, 45, 50, 100][prng.below(5)]!;
        const text = (prng.nextDouble() * size).toFixed(prng.below(15)).slice(0, 16);
        return prng.below(2) === 0 ? text : `-${text}`;
      }) as [string, string];
      const sum = added(first, second);
      if (sum !== addedExactly(first, second)) {
        expect(sum, `${first} + ${second}: ${repeat}`).toBe(addedExactly(first, second));
      }
    }
  });

  it('adds whole numbers of up to 64 bits exactly', () => {
    const prng = new Prng(SEED);
    for (let round = 0; round < 5000; round++) {
      const [a, b] = [0, 1].map(() => {
        const bits = (BigInt(prng.nextUint32()) << 31n) | BigInt(prng.nextUint32() >>> 1);
        const value = bits >> BigInt(prng.below(63));
        return prng.below(2) === 0 ? value : -value;
      }) as [bigint, bigint];
      if (added(String(a), String(b)) !== String(a + b)) expect(`${a} + ${b}`).toBe(repeat);
    }
  });
});

describe('longDoubleFrom', () => {
  it('keeps doubles as they are, and prints them with 17 decimals', () => {
    const rows: [number, string][] = [
      [0, '0'],
      [-0, '0'],
      [1.5, '1.5'],
      [0.1, '0.10000000000000001'],
      [-123.456, '-123.45600000000000307'],
      [5e-324, '0'],
      [2 ** 70, '1180591620717411303424'],
      [13.361389338970184, '13.36138933897018433'],
      [Infinity, 'inf'],
      [-Infinity, '-inf'],
    ];
    for (const [value, text] of rows) expect(formatLongDouble(longDoubleFrom(value)!)).toBe(text);
    expect(longDoubleFrom(Number.NaN)).toBe(null);
  });

  it('is exact for random doubles: what it holds is the double', () => {
    const prng = new Prng(SEED);
    for (let round = 0; round < 5000; round++) {
      const value = (prng.nextDouble() - 0.5) * 2 ** (prng.below(2100) - 1060);
      if (!Number.isFinite(value)) continue;
      const { mantissa, exponent, isNegative } = longDoubleFrom(value)!;
      // 11 of the 64 bits are zero, so this shift loses nothing and Number() rounds nothing.
      const low = mantissa >> 11n;
      expect(low << 11n).toBe(mantissa);
      const scaled = Number(low) * 2 ** Math.max(-1022, exponent + 11);
      const size = scaled * 2 ** Math.min(0, exponent + 11 + 1022);
      if ((isNegative ? -size : size) !== value) expect(size, repeat).toBe(value);
    }
  });
});
