package httpcall

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/weirhq/weir/providers"
)

// ErrNotPublic says that an address is on loopback, on a private network or otherwise not on the public internet.
var ErrNotPublic = errors.New("not public")

type dialer struct {
	net    net.Dialer
	banned []netip.Prefix
}

func newDialer(cfg providers.Config) *dialer {
	d := &dialer{net: net.Dialer{Timeout: cfg.ConnectTimeout}}
	if !cfg.AllowPrivate {
		d.banned = specialPurpose()
		d.net.Control = d.control
	}
	return d
}

// Dial is how other clients of weir's dial: to public addresses only, unless private ones are allowed. It sees the
// resolved address of every dial.
func Dial(timeout time.Duration, allowPrivate bool) func(ctx context.Context, network, address string) (net.Conn, error) {
	return newDialer(providers.Config{ConnectTimeout: timeout, AllowPrivate: allowPrivate}).dial
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &countingConn{Conn: conn}, nil
}

// control sees the resolved address of every dial, so a name that resolves to another address later gains nothing.
func (d *dialer) control(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the address to dial: %w", err)
	}
	if !d.public(target.Addr()) {
		return fmt.Errorf("the address %s is %w, and private ones are not allowed here", target.Addr(), ErrNotPublic)
	}
	return nil
}

func (d *dialer) public(addr netip.Addr) bool {
	addr = embedded(addr.WithZone("").Unmap())
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return false // loopback, link-local with the clouds' metadata services, multicast, unspecified, RFC 1918, fc00::/7
	}
	for _, prefix := range d.banned {
		if prefix.Contains(addr) {
			return false
		}
	}
	return true
}

// embedded is the IPv4 address inside a NAT64 one (RFC 6052), and any other address itself.
func embedded(addr netip.Addr) netip.Addr {
	if !netip.MustParsePrefix("64:ff9b::/96").Contains(addr) {
		return addr
	}
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

// specialPurpose are the ranges of RFC 6890 that look like global unicast and are not.
func specialPurpose() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),
		netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT, and some clouds' metadata
		netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("192.88.99.0/24"),
		netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("::/96"),
		netip.MustParsePrefix("64:ff9b:1::/48"),
		netip.MustParsePrefix("100::/64"),
		netip.MustParsePrefix("2001::/23"), // Teredo and other protocol assignments
		netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("2002::/16"), // 6to4
		netip.MustParsePrefix("3fff::/20"),
		netip.MustParsePrefix("fec0::/10"),
	}
}
