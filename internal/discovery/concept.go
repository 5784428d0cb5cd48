package discovery

import (
	"context"
	"maps"
	"time"

	"github.com/myriad-mind/myriad"
)

// regionGeneral is where concepts belong that nobody sorted (wire facts 5.10).
const regionGeneral = "General"

// PutConcept sets properties of the concept's node, which is made when it is not there, and lets it belong to the region General, which is made
// too; other properties stay, a nil value removes one, and a display_name stays as it was first written. name need not be canonical. It may be
// repeated. Errors are those of myriad.Topology; after one, some of it may be written.
func (d *Directory) PutConcept(ctx context.Context, name string, props myriad.Properties) error {
	key, err := myriad.CanonicalConcept(name)
	if err != nil {
		return err
	}
	return d.change(ctx, func(ctx context.Context) error {
		concept, err := d.ensure(ctx, myriad.LabelConcept, key, props)
		if err != nil {
			return err
		}
		region, err := d.ensure(ctx, myriad.LabelRegion, regionGeneral, nil)
		if err != nil {
			return err
		}
		_, err = d.cfg.Graph.Relate(ctx, myriad.Relationship{Type: myriad.RelBelongs, From: concept, To: region})
		return err
	})
}

// ensure makes or updates a node with a unique name and gives its id.
func (d *Directory) ensure(ctx context.Context, label, name string, props myriad.Properties) (string, error) {
	props = maps.Clone(props)
	if props == nil {
		props = myriad.Properties{}
	}
	props["name"] = name
	for tries := 0; ; tries++ {
		nodes, _, err := d.cfg.Graph.Nodes(ctx, label, myriad.Properties{"name": name}, myriad.Page{Limit: 1})
		if err != nil {
			return "", err
		}
		if len(nodes) > 0 {
			if nodes[0].Properties["display_name"] != nil {
				delete(props, "display_name")
			}
			if len(props) > 1 { // more than the name that it has
				_, err = d.cfg.Graph.UpdateNode(ctx, nodes[0].ID, props)
			}
			return nodes[0].ID, err
		}
		props["created_at"] = time.Now().UnixMilli()
		made, err := d.cfg.Graph.CreateNode(ctx, label, props)
		if myriad.ErrorCode(err) == myriad.CodeConflict && tries < 3 {
			delete(props, "created_at")
			continue // somebody else was faster
		}
		return made.ID, err
	}
}
