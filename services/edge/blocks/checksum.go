package blocks

// The checksum of A followed by B is that of A moved past B's length, plus that of
// B, where checksums are polynomials over GF(2) modulo crc32.IEEE, "moved" is a
// multiplication by x^(8·length) and "plus" is exclusive or. The arithmetic is
// Mark Adler's, described with zlib's crc32_combine.

// polynomial is crc32.IEEE in the reflected order: bit 31 is x^0.
const polynomial = 0xedb88320

// multiply multiplies two polynomials modulo the polynomial.
func multiply(a, b uint32) uint32 {
	var p uint32
	for m := uint32(1) << 31; a != 0; m >>= 1 {
		if a&m != 0 {
			p ^= b
			a ^= m
		}
		if b&1 != 0 {
			b = b>>1 ^ polynomial
		} else {
			b >>= 1
		}
	}
	return p
}

// shiftBy returns x^(8n): what multiplies a checksum to move it past n bytes.
func shiftBy(n uint64) uint32 {
	power := uint32(1) << 31  // x^0
	square := uint32(1) << 23 // x^8
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			power = multiply(square, power)
		}
		square = multiply(square, square)
	}
	return power
}
