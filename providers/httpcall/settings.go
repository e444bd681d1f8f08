package httpcall

import (
	"strconv"

	"github.com/weirhq/weir/providers"
)

// AppendSettings appends the temperature and the service tier that a call asks for, as the fields that most APIs have for
// them; each begins with a comma.
func AppendSettings(dst []byte, call providers.Call) []byte {
	if call.Temperature != nil {
		dst = append(dst, `,"temperature":`...)
		dst = strconv.AppendFloat(dst, *call.Temperature, 'f', -1, 64)
	}
	if call.ServiceTier != "" {
		dst = append(dst, `,"service_tier":`...)
		dst = AppendString(dst, call.ServiceTier)
	}
	return dst
}
