package slots_test

import (
	"testing"

	"tidings/services/edge/slots"
)

func TestALateEventReachesNobody(t *testing.T) {
	t.Parallel()
	var table slots.Table[*string]
	old, young := "old", "young"
	i, g := table.Put(&old)
	if table.At(i, g) != &old {
		t.Fatal("a value is not found")
	}
	table.Drop(i)
	if table.At(i, g) != nil {
		t.Error("a dropped value is found")
	}
	j, h := table.Put(&young)
	if j != i || h == g {
		t.Errorf("the place is %d/%d, was %d/%d: want it used again, in another generation", j, h, i, g)
	}
	if table.At(i, g) != nil || table.At(j, h) != &young {
		t.Error("the old number finds the newcomer")
	}
	if table.At(99, 0) != nil {
		t.Error("an unknown index finds something")
	}
}
